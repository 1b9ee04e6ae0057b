"""DynamoDB's expressions, as far as conditions, filters and updates of the product need them.

Anything else is `Unmodelled`: the simulation stops there and says so. `test_faithful.py` compares with moto.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from decimal import Decimal
from functools import lru_cache
from typing import Any

Item = dict[str, Any]
"""An item as the wire has it: attribute name to a value such as {"S": "text"}."""
Values = Mapping[str, Any]
Names = Mapping[str, str]
Operand = Callable[[Item, Names, Values], Any]
Condition = Callable[[Item, Names, Values], bool]

_TOKEN = re.compile(r"\s*(<>|<=|>=|[=<>(),+-]|[#:]?[A-Za-z_][A-Za-z0-9_]*(?:\.#?[A-Za-z_][A-Za-z0-9_]*)*)")
_COMPARED: dict[str, Callable[[Any, Any], bool]] = {
    "<": lambda one, other: bool(one < other),
    "<=": lambda one, other: bool(one <= other),
    ">": lambda one, other: bool(one > other),
    ">=": lambda one, other: bool(one >= other),
}


class Unmodelled(BaseException):
    """The product asks for something that the simulated service does not know."""


def holds(expression: str | None, item: Item | None, names: Names | None, values: Values | None) -> bool:
    """Return whether a condition holds for an item; without a condition it does."""
    return expression is None or _condition(expression)(item or {}, names or {}, values or {})


def updated(expression: str, item: Item, names: Names | None, values: Values | None) -> Item:
    """Return an item after an update expression."""
    result = dict(item)
    for path, value in _update(expression)(item, names or {}, values or {}):
        inner = result
        for name in path[:-1]:
            if name not in inner:
                raise Unmodelled(f"a path through {name}, which is not there")
            inner[name] = {"M": dict(inner[name]["M"])}
            inner = inner[name]["M"]
        if value is None:
            inner.pop(path[-1], None)
        else:
            inner[path[-1]] = value
    return result


def projected(expression: str | None, item: Item, names: Names | None) -> Item:
    """Return the attributes that a projection names."""
    if expression is None:
        return item
    wanted = [(names or {}).get(name.strip(), name.strip()) for name in expression.split(",")]
    return {name: item[name] for name in wanted if name in item}


class _Parser:
    def __init__(self, expression: str) -> None:
        self._expression = expression
        self._tokens: list[str] = []
        end = 0
        while end < len(expression.rstrip()):
            match = _TOKEN.match(expression, end)
            if match is None:
                raise Unmodelled(f"the expression {expression!r}")
            self._tokens.append(match[1])
            end = match.end()

    @property
    def following(self) -> str:
        return self._tokens[0] if self._tokens else ""

    def take(self, *allowed: str) -> str:
        if not self._tokens or (allowed and self.following.upper() not in allowed):
            raise Unmodelled(f"the expression {self._expression!r}, at {self.following!r}")
        return self._tokens.pop(0)

    def takes(self, token: str) -> bool:
        if self.following.upper() == token:
            self._tokens.pop(0)
            return True
        return False

    def alternatives(self) -> Condition:
        parts = [self._conjunction()]
        while self.takes("OR"):
            parts.append(self._conjunction())
        return parts[0] if len(parts) == 1 else lambda *given: any(part(*given) for part in parts)

    def _conjunction(self) -> Condition:
        parts = [self._negation()]
        while self.takes("AND"):
            parts.append(self._negation())
        return parts[0] if len(parts) == 1 else lambda *given: all(part(*given) for part in parts)

    def _negation(self) -> Condition:
        if self.takes("NOT"):
            inner = self._negation()
            return lambda *given: not inner(*given)
        if self.takes("("):
            inner = self.alternatives()
            self.take(")")
            return inner
        return self._comparison()

    def _comparison(self) -> Condition:
        if self.following in ("attribute_exists", "attribute_not_exists", "begins_with", "contains"):
            name = self.take()
            self.take("(")
            operands = [self._operand()]
            while self.takes(","):
                operands.append(self._operand())
            self.take(")")
            return _called(name, operands)
        left = self._operand()
        if self.takes("BETWEEN"):
            low = self._operand()
            self.take("AND")
            high = self._operand()
            return lambda *given: (
                _compare("<=", low(*given), left(*given)) and _compare("<=", left(*given), high(*given))
            )
        if self.takes("IN"):
            self.take("(")
            among = [self._operand()]
            while self.takes(","):
                among.append(self._operand())
            self.take(")")
            return lambda *given: any(_compare("=", left(*given), each(*given)) for each in among)
        comparator = self.take("=", "<>", "<", "<=", ">", ">=")
        right = self._operand()
        return lambda *given: _compare(comparator, left(*given), right(*given))

    def _operand(self) -> Operand:
        token = self.take()
        if token.startswith(":"):
            return lambda _, __, values: values[token]
        if token == "if_not_exists":
            self.take("(")
            path = self._operand()
            self.take(",")
            default = self._operand()
            self.take(")")
            return lambda *given: path(*given) if path(*given) is not None else default(*given)
        if self.following == "(":
            raise Unmodelled(f"the function {token}")
        return lambda item, names, _: _found(item, _path(token, names))

    def update(self) -> Callable[[Item, Names, Values], list[tuple[tuple[str, ...], Any]]]:
        steps: list[tuple[str, Operand]] = []
        while self.following:
            clause = self.take("SET", "REMOVE", "ADD").upper()
            while True:
                name = self.take()
                steps.append((name, self._step(clause, name)))
                if not self.takes(","):
                    break
        return lambda item, names, values: [(_path(name, names), step(item, names, values)) for name, step in steps]

    def _step(self, clause: str, name: str) -> Operand:
        if clause == "REMOVE":
            return lambda *_: None
        if clause == "ADD":
            by = self._operand()
            return lambda item, names, values: _sum(
                _found(item, _path(name, names)) or {"N": "0"}, by(item, names, values)
            )
        self.take("=")
        first = self._operand()
        if self.following not in ("+", "-"):
            return first
        sign, second = (1 if self.take() == "+" else -1), self._operand()
        return lambda *given: _sum(first(*given), second(*given), sign)


def _path(token: str, names: Names) -> tuple[str, ...]:
    """Return the attribute that a token names, and of which maps it is a part."""
    return tuple(names.get(name, name) for name in token.split("."))


def _found(item: Item, path: tuple[str, ...]) -> Any:
    for name in path[:-1]:
        item = item.get(name, {}).get("M", {})
    return item.get(path[-1])


def _called(name: str, operands: list[Operand]) -> Condition:
    first = operands[0]
    if name == "attribute_exists":
        return lambda *given: first(*given) is not None
    if name == "attribute_not_exists":
        return lambda *given: first(*given) is None
    second = operands[1]
    if name == "begins_with":
        return lambda *given: str((first(*given) or {}).get("S", "")).startswith(second(*given)["S"])
    return lambda *given: second(*given)["S"] in str((first(*given) or {}).get("S", ""))


def _compare(comparator: str, left: Any, right: Any) -> bool:
    if comparator == "<>":
        return not _compare("=", left, right)
    if left is None or right is None or left.keys() != right.keys():
        return False
    ((kind, one),), ((_, other),) = left.items(), right.items()
    if kind == "N":
        one, other = Decimal(one), Decimal(other)
    return bool(one == other) if comparator == "=" else _COMPARED[comparator](one, other)


def _sum(one: Any, other: Any, sign: int = 1) -> Any:
    return {"N": str(Decimal(one["N"]) + sign * Decimal(other["N"]))}


@lru_cache(1000)
def _condition(expression: str) -> Condition:
    parser = _Parser(expression)
    condition = parser.alternatives()
    if parser.following:
        raise Unmodelled(f"the expression {expression!r}, at {parser.following!r}")
    return condition


@lru_cache(1000)
def _update(expression: str) -> Callable[[Item, Names, Values], list[tuple[tuple[str, ...], Any]]]:
    return _Parser(expression).update()
