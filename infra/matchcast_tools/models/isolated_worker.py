"""The other side of `isolated`: load a model directory as functions do, answer one question, end.

Run by its path: `python -I -S isolated_worker.py FOLDER IMPORT_PATH...`; it knows the product, and no tools.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matchcast.domain.manifests import PublishedModel
    from matchcast.ports import Rows

_MODEL, _FILES, _ROWS = "published.json", "files", "rows.npy"
_ERROR, _ANSWER = "error.json", "answer.npy"


def write_question(folder: Path, published: PublishedModel, files: Mapping[str, bytes], rows: Rows) -> None:
    """Write what the worker is asked: a model, its files, and rows."""
    import numpy as np

    (folder / _MODEL).write_text(published.model_dump_json())
    for name in published.files:
        path = folder / _FILES / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(files[name])
    np.save(folder / _ROWS, rows)


def read_answer(folder: Path) -> tuple[dict[str, str] | None, Rows]:
    """Return the error (`code`, `detail`) or None, and the probabilities, which are none with an error."""
    import numpy as np

    if (folder / _ERROR).exists():
        error: dict[str, str] = json.loads((folder / _ERROR).read_text())
        return error, np.empty((0, 3), dtype=np.float32)
    answer: Rows = np.load(folder / _ANSWER, allow_pickle=False)
    return None, answer


def answer(folder: Path) -> None:
    """Answer the question in a folder."""
    import numpy as np

    from matchcast.adapters.model_loaders import load_any
    from matchcast.domain.manifests import PublishedModel
    from matchcast.errors import MatchcastError

    published = PublishedModel.model_validate_json((folder / _MODEL).read_text())
    files = {name: (folder / _FILES / name).read_bytes() for name in published.files}
    try:
        np.save(folder / _ANSWER, load_any(published, files).predict(np.load(folder / _ROWS, allow_pickle=False)))
    except MatchcastError as error:
        (folder / _ERROR).write_text(json.dumps({"code": error.code, "detail": error.detail}))


if __name__ == "__main__":
    sys.path.extend(sys.argv[2:])
    answer(Path(sys.argv[1]))
