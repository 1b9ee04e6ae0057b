"""What the roles of a running laptop stack allow, and how to take one permission away for a while."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cfn_lint_rules._rule import as_list
from matchcast_tools.laptop.denials import Denial, denials_in
from matchcast_tools.stack.deployed import Stack

FRESH = "MATCHCAST_FRESH"
"""A variable that is set to a new value where a function is to start afresh, with nothing in memory."""
BATCH = "Batch"


@dataclass(frozen=True, slots=True)
class Grant:
    """One action on one resource that a statement of a role allows."""

    function: str
    sid: str
    action: str
    resource: str

    def __str__(self) -> str:
        return f"{self.function}: {self.sid}, {self.action} on {self.resource.rpartition(':')[2]}"


class Roles:
    """The roles of the functions of a running laptop stack.

    Parameters
    ----------
    stack, resources
        The stack, and the physical names of its resources.
    log
        The engine's log.
    """

    def __init__(self, stack: Stack, resources: dict[str, str], log: Path) -> None:
        self._iam, self._functions, self._log = stack.client("iam"), stack.client("lambda"), log
        names = [item["FunctionName"].rpartition("-")[2] for item in self._functions.list_functions()["Functions"]]
        self._role = {name: resources[f"{_logical(name)}Role"] for name in names}
        self._name = {name: resources[f"{_logical(name)}Function"] for name in names}
        self._marked = names[0], 0

    @property
    def functions(self) -> list[str]:
        """The functions, by the names of their folders."""
        return sorted(self._role)

    def grants(self, function: str) -> list[Grant]:
        """Return each action on each resource that the function's role allows."""
        return [
            Grant(function, statement["Sid"], action, resource)
            for statement in self._document(function)["Statement"]
            for action in as_list(statement["Action"])
            # The laptop adds the batch form of an action of a queue, which has no permission of its own on AWS.
            if not action.endswith(BATCH)
            for resource in as_list(statement["Resource"])
        ]

    @contextmanager
    def without(self, grant: Grant) -> Iterator[None]:
        """Take one permission away, and give it back; the function starts afresh both times."""
        whole = self._document(grant.function)
        self._put(grant.function, {**whole, "Statement": [*less(whole["Statement"], grant)]})
        self.start_afresh(grant.function)
        try:
            yield
        finally:
            self._put(grant.function, whole)
            self.start_afresh(grant.function)

    def denied(self, function: str, since: int = 0) -> list[Denial]:
        """Return what the function's role was denied, from a place of the log on."""
        with self._log.open("rb") as log:
            log.seek(since)
            found = denials_in(log.read().decode(errors="replace"))
        return [one for one in found if one.role == self._role[function]]

    def mark(self, function: str) -> int:
        """Return where the log ends now; from here on `denied_lately` asks for this function."""
        self._marked = function, self._log.stat().st_size
        return self._marked[1]

    def denied_lately(self) -> bool:
        """Return whether something was denied since the last mark."""
        return bool(self.denied(*self._marked))

    def start_afresh(self, function: str) -> None:
        """Let the function's next invocation find nothing in memory."""
        name = self._name[function]
        variables = self._functions.get_function_configuration(FunctionName=name)["Environment"]["Variables"]
        self._functions.update_function_configuration(
            FunctionName=name, Environment={"Variables": {**variables, FRESH: str(time.time_ns())}}
        )

    def _document(self, function: str) -> dict[str, Any]:
        answer = self._iam.get_role_policy(RoleName=self._role[function], PolicyName=function)["PolicyDocument"]
        return dict(json.loads(answer) if isinstance(answer, str) else answer)

    def _put(self, function: str, document: dict[str, Any]) -> None:
        self._iam.put_role_policy(
            RoleName=self._role[function], PolicyName=function, PolicyDocument=json.dumps(document)
        )


def less(statements: list[dict[str, Any]], grant: Grant) -> Iterator[dict[str, Any]]:
    """Yield the statements with everything that they allow but the grant."""
    for statement in statements:
        if statement["Sid"] != grant.sid:
            yield statement
            continue
        for action in as_list(statement["Action"]):
            single = action.removesuffix(BATCH)
            rest = [one for one in as_list(statement["Resource"]) if (single, one) != (grant.action, grant.resource)]
            if rest:
                yield {**statement, "Action": action, "Resource": rest}


def _logical(function: str) -> str:
    return "".join(word.capitalize() for word in function.split("_"))
