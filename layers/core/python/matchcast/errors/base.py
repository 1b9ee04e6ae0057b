"""What every error of the product has: a code, a status, a title, and the fields that are wrong."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from matchcast.echo import LONGEST_DETAIL, cut

MOST_ERRORS = 100
"""Invalid fields that an error names; of the rest it keeps the number."""


@dataclass(frozen=True, slots=True)
class FieldError:
    """One invalid field: a JSON Pointer into the body, or the name of a parameter or header."""

    detail: str
    pointer: str | None = None
    parameter: str | None = None
    header: str | None = None

    def as_dict(self) -> dict[str, str]:
        """Return the parts that are set, as they appear in `errors[]` of a problem; what is too long is cut."""
        names = {"pointer": self.pointer, "parameter": self.parameter, "header": self.header}
        set_names = {kind: cut(name) for kind, name in names.items() if name is not None}
        return {"detail": cut(self.detail, LONGEST_DETAIL), **set_names}


class MatchcastError(Exception):
    """An error with a stable `code`, an HTTP `status`, a `title` and, where fields are wrong, `errors`.

    `detail` is for logs and operators. `public_detail` is what a client may read: for faults behind the
    service that is `public`, because their details name buckets, keys and tables. `is_defect` marks a fault that no
    client can help by trying again: only who runs the service can mend it.
    """

    code: ClassVar[str] = "internal-error"
    status: ClassVar[int] = 500
    title: ClassVar[str] = "Internal error"
    public: ClassVar[str] = ""
    is_public: ClassVar[bool] = False
    is_defect: bool = False

    def __init_subclass__(cls, code: str = "", status: int = 0, title: str = "", public: str = "") -> None:
        super().__init_subclass__()
        cls.code, cls.status = code or cls.code, status or cls.status
        cls.title, cls.public = title or cls.title, public or cls.public

    def __init__(self, detail: str, errors: Sequence[FieldError] = ()) -> None:
        super().__init__(detail)
        self.detail = detail
        self.errors = tuple(errors[:MOST_ERRORS])
        self.more_errors = len(errors) - len(self.errors)

    @property
    def public_detail(self) -> str:
        """Return what a client may read of this error: nothing internal."""
        if self.public:
            return self.public
        if self.status < 500 or self.is_public:
            return self.detail
        return "The service could not answer. The request_id helps its operators to find out why."
