"""Query parameters of the lists, with what the OpenAPI document says of them."""

from __future__ import annotations

import re
from datetime import date
from typing import Annotated, Any

from aws_lambda_powertools.event_handler.openapi.params import Query
from pydantic import BeforeValidator, Field

from matchcast.http.cursors import CURSOR_PATTERN, MAX_CURSOR_LENGTH
from matchcast.http.parameters import DIGITS_ALONE

_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")


def _day(value: Any) -> Any:
    # pydantic would also take a number of seconds and a date with a time.
    if isinstance(value, str) and _DAY.fullmatch(value) is None:
        raise ValueError("send a day like 2026-03-07")
    return value


Region = Annotated[
    str | None, Query(min_length=1, max_length=100, description="Only this region; upper and lower case are the same.")
]
League = Annotated[
    str | None, Query(min_length=1, max_length=100, description="Only this league; upper and lower case are the same.")
]
Team = Annotated[
    str | None,
    Query(min_length=1, max_length=100, description="Only matches of this team, home or away, in any case."),
]
Day = Annotated[date, BeforeValidator(_day)]
DateFrom = Annotated[Day | None, Query(description="First day of kick-off (UTC).")]
DateTo = Annotated[Day | None, Query(description="Last day of kick-off (UTC), included.")]
PageSize = Annotated[int, Field(ge=1, le=1000), DIGITS_ALONE]
Limit = Annotated[PageSize, Query(description="Rows a page.")]
Cursor = Annotated[
    str | None,
    Query(
        pattern=CURSOR_PATTERN,
        max_length=MAX_CURSOR_LENGTH,
        description="`next_cursor` of the page before, with the same filters.",
    ),
]
