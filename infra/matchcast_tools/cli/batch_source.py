"""What `matchcast batch` predicts: a file of rows, or match ids, one a line."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from pathlib import Path

from matchcast.domain.batch import MOST_IDS_BYTES
from matchcast_tools.errors import BadInput
from matchcast_tools.stack.batches import form_of

FROM_STDIN = "-"
_LIST = ".txt"
_REST_OF_THE_BODY = 1_000


@dataclass(frozen=True, slots=True)
class Source:
    """What is predicted: the rows of a file, which is uploaded, or matches, which are sent with the submission."""

    path: Path | None = None
    match_ids: tuple[str, ...] = ()


def read_source(given: str) -> Source:
    """Return what an argument names, before anything is sent.

    Raises
    ------
    BadInput
        If it cannot be an input.
    """
    path = Path(given)
    if given != FROM_STDIN and path.suffix.lower() != _LIST:
        form_of(path)
        if not path.is_file():
            raise BadInput(f"There is no file {path}. Give a file of rows.")
        return Source(path)
    try:
        text = sys.stdin.buffer.read() if given == FROM_STDIN else path.read_bytes()
        lines = text.decode("utf-8-sig").splitlines()
    except UnicodeDecodeError as error:
        raise BadInput(f"{given} is no text in UTF-8 (byte {error.start}). Give match ids, one a line.") from error
    except OSError as error:
        raise BadInput(f"{given} cannot be read: {error.strerror}.") from error
    ids = tuple(line.strip() for line in lines if line.strip())
    if not ids:
        raise BadInput(f"{given} has no match ids. Give them one a line.")
    if len(json.dumps(ids)) > MOST_IDS_BYTES - _REST_OF_THE_BODY:
        raise BadInput(
            f"{given} has {len(ids)} match ids, more than one request takes. Put a first line `match_id` before "
            "them, and give the file as .csv: files may have 5,000,000 rows."
        )
    return Source(match_ids=ids)
