"""Bodies that manage_webhooks takes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Self

from pydantic import AwareDatetime, BeforeValidator, Field, GetJsonSchemaHandler, model_validator

from matchcast.http.bodies import WHOLE, RequestBody

if TYPE_CHECKING:
    from pydantic.json_schema import JsonSchemaValue
    from pydantic_core import CoreSchema

LONGEST_RETIREMENT_SECONDS = 30 * 86_400


def _demand_text(value: object) -> object:
    """Refuse numbers, also as text, which pydantic takes for seconds since 1970."""
    if not isinstance(value, str) or ":" not in value:
        raise ValueError("Input should be a time as RFC 3339 writes it")
    return value


Moment = Annotated[AwareDatetime, BeforeValidator(_demand_text), Field(strict=False)]
_Id = Annotated[str, Field(max_length=64)]


class SecretRequest(RequestBody):
    """A new signing secret, beside the others or in their place."""

    retire_others_in: Annotated[int, Field(ge=0, le=LONGEST_RETIREMENT_SECONDS), WHOLE] | None = Field(
        default=None,
        description="Seconds after which the tenant's other secrets sign no more; they go on if it is left out.",
        examples=[86_400],
    )


class TaskReplay(RequestBody):
    """The last event of a task once more."""

    task_id: _Id


class BatchReplay(RequestBody):
    """The last event of a batch once more."""

    batch_id: _Id


class RangeReplay(RequestBody):
    """Every event of a range of time once more."""

    since: Moment = Field(description="Events that occurred then or later.", examples=["2026-03-01T12:00:00Z"])
    until: Moment | None = Field(default=None, description="And before then; until now if it is left out.")


class ReplayRequest(RequestBody):
    """What is to be delivered once more: the last event of a task or batch, or every event of a range of time."""

    task_id: _Id | None = None
    batch_id: _Id | None = None
    since: Moment | None = None
    until: Moment | None = None

    @model_validator(mode="after")
    def one_choice(self) -> Self:
        """Demand one of the three."""
        if sum(value is not None for value in (self.task_id, self.batch_id, self.since)) != 1:
            raise ValueError("send one of `task_id`, `batch_id` and `since`")
        if self.until is not None and self.since is None:
            raise ValueError("`until` comes with `since`")
        return self

    @classmethod
    def __get_pydantic_json_schema__(cls, _: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        """Return what `one_choice` demands, as a choice between schemas of which clients can generate classes."""
        kinds = (TaskReplay, BatchReplay, RangeReplay)
        return {"description": cls.__doc__, "oneOf": [handler(kind.__pydantic_core_schema__) for kind in kinds]}
