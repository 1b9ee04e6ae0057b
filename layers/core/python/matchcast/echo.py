"""What a client sent, as answers and logs may repeat it: short, and without characters that do anything."""

from __future__ import annotations

LONGEST = 100
"""Characters of a client's text that are repeated."""
LONGEST_DETAIL = 500
"""Characters of a whole message about a request."""


def cut(text: str, longest: int = LONGEST) -> str:
    r"""Return the beginning of a text, with a question mark in place of each character that cannot be printed.

    Control characters would colour or rewrite a terminal, and lone surrogates cannot be encoded at all.

    Examples
    --------
    >>> cut("form\x1b[31m"), cut("abcdef", 4)
    ('form?[31m', 'abc…')
    """
    short = text if len(text) <= longest else text[: longest - 1] + "…"
    return short if short.isprintable() else "".join(char if char.isprintable() else "?" for char in short)


def quoted(text: str) -> str:
    """Return a text in quotes, cut, for a sentence."""
    return f"'{cut(text)}'"
