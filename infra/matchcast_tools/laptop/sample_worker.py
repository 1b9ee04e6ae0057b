"""The process that makes the sample: match files, import, features, training, then publication to the stack.

    python -m matchcast_tools.laptop.sample_worker FOLDER DIGEST

It prints each step on stdout after "> ". After the training it reads from stdin which stack to publish to, and keeps
the published objects in the folder, marked with the digest.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from matchcast.errors import MatchcastError
from matchcast.ports import ObjectStore
from matchcast_tools.dataset.upload import publish_dataset
from matchcast_tools.errors import exit_code
from matchcast_tools.features.build import build_features
from matchcast_tools.importing.import_files import import_paths
from matchcast_tools.laptop.sample_load import SampleFolder
from matchcast_tools.laptop.stack_file import laptop_stack
from matchcast_tools.models.publish import publish_models
from matchcast_tools.models.registry import DEFAULT_STAGES
from matchcast_tools.models.release_run import ReleaseRun
from matchcast_tools.models.tracking import Tracking
from matchcast_tools.models.train import train
from matchcast_tools.sample.league import write_sample
from matchcast_tools.stack.bucket import open_bucket

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
    bucket = open_bucket(laptop_stack(**json.loads(sys.stdin.read())))
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
    except MatchcastError as error:
        sys.stdout.write(f"{error.title}: {error.detail}\n")
        sys.exit(exit_code(error))
