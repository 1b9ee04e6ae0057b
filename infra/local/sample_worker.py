"""The process that makes the sample: match files, import, features, training, then publication to the stack.

    python -m infra.local.sample_worker FOLDER DIGEST

It says each step on stdout after "> ". When it is trained it reads the stack to publish to from stdin, and keeps
what it published in the folder, marked with the digest.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from infra.data.features import build_features
from infra.data.importing import import_paths
from infra.data.publish import open_bucket, publish_dataset
from infra.data.sample import write_sample
from infra.errors import exit_code
from infra.local.sample import SampleFolder
from infra.local.template import REGION
from infra.models.publish import publish
from infra.models.registry import DEFAULT_STAGES
from infra.models.tracking import Tracking
from infra.models.train import train
from infra.stack import Stack, laptop_session
from matchcast.errors import MatchcastError
from matchcast.ports import ObjectStore

PUBLISHED = ("datasets/", "models/")


def main(folder: SampleFolder, digest: str) -> None:
    """Make the sample and publish it."""
    say("writing the sample league")
    folder.root.mkdir(parents=True)
    write_sample(folder.match_files)
    say("importing it")
    import_paths([folder.match_files], folder.data)
    say("computing features")
    build_features(folder.data)
    say("training a model")
    tracking = Tracking.at(folder.root)
    train(folder.data, hold_out_last_season=True, aliases=DEFAULT_STAGES, tracking=tracking, progress=say)
    say("waiting for the stack")
    bucket = open_bucket(read_stack(sys.stdin.read()))
    say("publishing the dataset")
    publish_dataset(bucket, folder.data)
    say("publishing the model")
    publish(bucket, DEFAULT_STAGES, data_dir=folder.data, tracking=tracking, progress=say)
    keep(bucket, folder)
    folder.digest.write_text(digest)


def read_stack(text: str) -> Stack:
    """Return the stack that the starting process has deployed."""
    content = json.loads(text)
    return Stack(
        name="matchcast",
        region=REGION,
        api_url=f"http://127.0.0.1:{content['port']}",
        host_header=None,
        outputs=content["outputs"],
        session=laptop_session(content["port"]),
    )


def keep(bucket: ObjectStore, folder: SampleFolder) -> None:
    """Copy what was published into the folder."""
    for prefix in PUBLISHED:
        for listed in bucket.list_objects(prefix):
            stored = bucket.get(listed.key)
            if stored is not None:
                path = folder.objects / listed.key
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(stored.body)


def say(step: str) -> None:
    """Tell the starting process what happens next."""
    sys.stdout.write(f"> {step}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    try:
        main(SampleFolder(Path(sys.argv[1])), sys.argv[2])
    except MatchcastError as error:
        sys.stdout.write(f"{error.title}: {error.detail}\n")
        sys.exit(exit_code(error))
