"""The data bucket of a stack."""

from __future__ import annotations

from matchcast.ports import ReleaseStore
from matchcast_tools.errors import EnvironmentProblem
from matchcast_tools.stack.deployed import Stack


def open_bucket(stack: Stack) -> ReleaseStore:
    """Return the data bucket of a stack.

    Raises
    ------
    EnvironmentProblem
        If the bucket is missing, or may not be used with these credentials.
    """
    from botocore.exceptions import BotoCoreError, ClientError

    from matchcast.adapters.s3_objects import S3Objects

    bucket = stack.output("DataBucketName")
    client = stack.client("s3")
    try:
        client.head_bucket(Bucket=bucket)
    except (BotoCoreError, ClientError) as error:
        raise EnvironmentProblem(
            f"The data bucket {bucket} of the stack {stack.name} cannot be used ({error}). Start the laptop stack "
            "with `make up`, or check the deployed stack and the credentials."
        ) from error
    return S3Objects(client, bucket)
