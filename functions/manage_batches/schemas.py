"""Bodies that manage_batches takes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, ClassVar, Literal, Self

from pydantic import Field, GetJsonSchemaHandler, model_validator

from matchcast.domain.batch import MOST_IDS_BYTES, FileFormat
from matchcast.http.bodies import RequestBody
from matchcast.http.callbacks import CallbackBody
from matchcast.http.contract import StageName

if TYPE_CHECKING:
    from pydantic.json_schema import JsonSchemaValue
    from pydantic_core import CoreSchema

MatchIds = Annotated[list[str], Field(min_length=1, fail_fast=True)]
"""The first that is no text is reported, and no other: the reports of millions would need gigabytes."""
LONGEST_INPUT_KEY = 1_024


class UploadRequest(RequestBody):
    """What kind of file comes: its rows have a `match_id`, or the features of the stage's model by their names."""

    format: FileFormat = Field(
        strict=False,  # strictly, JSON has no member of an enumeration
        description="What the file is: CSV with a header, JSON Lines, or Parquet.",
        examples=["csv"],
    )
    gzip: bool = Field(default=False, description="Whether the file is compressed by gzip; Parquet is as it is.")


class BatchRequestBody(CallbackBody):
    """How a batch runs, whatever its rows are."""

    stage: StageName = "champion"
    output_format: Literal["parquet", "jsonl"] = Field(
        default="parquet", description="The format of the output and error files; `parquet` if it is left out."
    )


class MatchesBatchSubmission(BatchRequestBody):
    """A batch of matches of the snapshot."""

    match_ids: MatchIds = Field(
        description="Matches of the snapshot, a row for each, in this order.",
        examples=[["e0-2026-03-07-alder-birch"]],
    )
    input: None = Field(default=None, description="Left out: the match ids are the input.")


class InputBatchSubmission(BatchRequestBody):
    """A batch of the rows of an uploaded file."""

    input: str = Field(
        max_length=LONGEST_INPUT_KEY,
        description="The `input` that `POST /predict/batch/uploads` answered, once the file is there.",
        examples=["input/4f1c8b7a9d2e/019cb2d1-7c00-7000-8000-000000000000.csv"],
    )
    match_ids: None = Field(default=None, description="Left out: the file has the rows.")


class BatchRequest(BatchRequestBody):
    """A batch: matches of the snapshot, or the rows of an uploaded file."""

    max_bytes: ClassVar[int] = MOST_IDS_BYTES

    match_ids: MatchIds | None = None
    input: str | None = Field(default=None, max_length=LONGEST_INPUT_KEY)

    @model_validator(mode="after")
    def one_input(self) -> Self:
        """Demand either match ids or an input."""
        if (self.match_ids is None) == (self.input is None):
            raise ValueError("send either `match_ids` or `input`")
        return self

    @classmethod
    def __get_pydantic_json_schema__(cls, _: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        """Return what `one_input` demands, as a choice between two schemas of which clients can generate classes."""
        kinds = (MatchesBatchSubmission, InputBatchSubmission)
        return {"description": cls.__doc__, "oneOf": [handler(kind.__pydantic_core_schema__) for kind in kinds]}
