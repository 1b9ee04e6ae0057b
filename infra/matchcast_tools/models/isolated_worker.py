"""The other side of `isolated`: load a model directory as functions do, answer one question, end.

Run by its path: `python -I -S isolated_worker.py FOLDER IMPORT_PATH...`; it knows the product, and no tools.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

MODEL, FILES, ROWS = "published.json", "files", "rows.npy"
"""What the folder holds for the worker: a model, the folder of its files, and the rows to predict."""
ERROR, ANSWER = "error.json", "answer.npy"
"""What the worker leaves: the error (`code`, `detail`), or the probabilities."""


def answer(folder: Path) -> None:
    """Answer the question in a folder."""
    import numpy as np

    from matchcast.adapters.model_loaders import load_any
    from matchcast.domain.manifests import PublishedModel
    from matchcast.errors import MatchcastError

    published = PublishedModel.model_validate_json((folder / MODEL).read_text())
    files = {name: (folder / FILES / name).read_bytes() for name in published.files}
    try:
        np.save(folder / ANSWER, load_any(published, files).predict(np.load(folder / ROWS, allow_pickle=False)))
    except MatchcastError as error:
        (folder / ERROR).write_text(json.dumps({"code": error.code, "detail": error.detail}))


if __name__ == "__main__":
    sys.path.extend(sys.argv[2:])
    answer(Path(sys.argv[1]))
