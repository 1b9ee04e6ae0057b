"""The process that makes the sample: match files, import, features, training, then publication to the stack.

    python -m matchcast_tools.laptop.sample_worker FOLDER DIGEST

It prints each step on stdout after "> ". After the training it needs a line on stdin that says which stack to publish
to, and keeps the published objects in the folder, marked with the digest. It ends with the command that started it.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from matchcast_tools.errors import exit_code
from matchcast_tools.laptop.processes import end_group, listen_to_owner
from matchcast_tools.laptop.sample_load import SampleFolder

if TYPE_CHECKING:
    from matchcast.ports import ObjectStore

PUBLISHED = ("datasets/", "models/")


def main(folder: SampleFolder, digest: str) -> None:
    """Make the sample and publish it."""
    # First of all: what follows takes seconds, and the owner may end meanwhile.
    told = listen_to_owner(end_group)
    from matchcast_tools.dataset.upload import publish_dataset
    from matchcast_tools.features.build import build_features
    from matchcast_tools.importing.import_files import import_paths
    from matchcast_tools.laptop.stack_file import laptop_stack
    from matchcast_tools.models.publish import publish_models
    from matchcast_tools.models.registry import DEFAULT_STAGES
    from matchcast_tools.models.release_run import ReleaseRun
    from matchcast_tools.models.tracking import Tracking
    from matchcast_tools.models.train import train
    from matchcast_tools.sample.league import write_sample
    from matchcast_tools.stack.bucket import open_bucket

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
    bucket = open_bucket(laptop_stack(**json.loads(told.get())))
    say("publishing the dataset")
    publish_dataset(bucket, folder.data)
    say("publishing the model")
    run = ReleaseRun(objects=bucket, tracking=tracking, progress=say)
    publish_models(run, DEFAULT_STAGES, data_dir=folder.data)
    keep(bucket, folder)
    folder.digest.write_text(digest)


def keep(bucket: ObjectStore, folder: SampleFolder) -> None:
    """Copy the published objects into the folder."""
    for prefix in PUBLISHED:
        for listed in bucket.list_objects(prefix):
            stored = bucket.get(listed.key)
            if stored is not None:
                path = folder.objects / listed.key
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(stored.body)


def say(step: str) -> None:
    """Report the next step to the parent process."""
    sys.stdout.write(f"> {step}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    try:
        main(SampleFolder(Path(sys.argv[1])), sys.argv[2])
    except Exception as error:
        from matchcast_tools.cli.main import explanation

        explained = explanation(error)
        if explained is None:
            raise
        sys.stdout.write(f"{explained.title}: {explained.detail}\n")
        sys.exit(exit_code(explained))
