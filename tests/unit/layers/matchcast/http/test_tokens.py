"""What a token may do, by the claims as API Gateway hands them to a function."""

from __future__ import annotations

from typing import Any

import pytest

from matchcast.errors import ScopeMissing
from matchcast.http.tokens import demand_write_scope, scopes_of

BOTH = {"predictions/read", "predictions/write"}


@pytest.mark.parametrize(
    "claims",
    [
        {"scope": "predictions/read predictions/write"},
        {"scope": "[predictions/read predictions/write]"},
        {"scp": "predictions/read predictions/write"},
        {"scp": "[predictions/read predictions/write]"},
        {"scp": ["predictions/read", "predictions/write"]},
        {"scope": "predictions/read", "scp": "[predictions/write]"},
        {"scope": "", "scp": "predictions/write  predictions/read "},
    ],
)
def test_scopes_are_taken_from_either_claim_in_every_form(claims: dict[str, Any]) -> None:
    assert scopes_of(claims) == BOTH
    demand_write_scope(claims)


@pytest.mark.parametrize(
    "claims",
    [
        {},
        {"scope": ""},
        {"scope": None, "scp": None},
        {"scope": "predictions/read"},
        {"scp": "[]"},
        {"scp": "[predictions/writer]"},
        {"scp": "xpredictions/write"},
        {"permissions": "predictions/write"},
    ],
)
def test_a_token_without_the_scope_to_write_may_not(claims: dict[str, Any]) -> None:
    with pytest.raises(ScopeMissing, match="predictions/write"):
        demand_write_scope(claims)
