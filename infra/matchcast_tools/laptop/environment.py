"""The environment that the engine of a laptop stack starts with."""

from __future__ import annotations

import os
from collections.abc import Mapping

from matchcast import TELEMETRY_OFF
from matchcast_tools.laptop.processes import marked_with
from matchcast_tools.laptop.state import Folder

# Variables of a developer's shell that would point the engine or a function to another stack.
FOREIGN_PREFIXES = ("AWS_", "EDGE_PORT", "GATEWAY_PORT", "LAMBDA_", "LOCALSTACK_", "MINISTACK_", "MLFLOW_")


def engine_environment(inherited: Mapping[str, str], folder: Folder, port: int) -> dict[str, str]:
    """Return the engine's environment: the developer's, without the variables of another stack."""
    scratch = folder.scratch
    kept = {name: value for name, value in inherited.items() if not name.startswith(FOREIGN_PREFIXES)}
    return (
        kept
        | marked_with(folder.root)
        | TELEMETRY_OFF
        | {
            # Functions get the credentials of their roles, and what the template does not allow is denied.
            "AUTH": "true",
            "AWS_CONFIG_FILE": os.devnull,
            "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
            "BIND_HOST": "127.0.0.1",
            # The engine removes containers that it takes for its own, and needs none, so it must not find Docker.
            "DOCKER_HOST": f"unix://{scratch / 'no-docker.sock'}",
            "GATEWAY_PORT": str(port),
            "IOT_MTLS_ENABLED": "0",
            "LOG_LEVEL": "INFO",
            "NO_PROXY": "localhost,127.0.0.1",
            # The services can be saved and restored; when and where to, says keeping.py.
            "PERSIST_STATE": "1",
            "PYTHONUNBUFFERED": "1",
            "S3_DATA_DIR": str(folder.objects),
            "S3_PERSIST": "1",
            "SFTP_ENABLED": "0",
            "STATE_DIR": str(folder.parts),
            "TMPDIR": str(scratch),
        }
    )
