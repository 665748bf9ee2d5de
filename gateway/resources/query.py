"""Reads and checks the query parameters of a request; an error names the wrong parameter."""

from __future__ import annotations

from falcon import Request

from gateway.errors import BadRequest

# The largest integer that JavaScript clients can represent exactly.
MAX_INTEGER = 2**53 - 1
_FLAGS = {"true": True, "1": True, "false": False, "0": False}


def integer(req: Request, name: str, low: int = 0, high: int = MAX_INTEGER) -> int | None:
    """Return the integer parameter `name`; None if the request does not have the parameter.

    Raises:
        BadRequest: the value is not an integer from `low` to `high`.
    """
    given = req.get_param(name)
    if not given:
        return None
    if not (given.isascii() and given.isdigit() and low <= _value(given) <= high):
        raise BadRequest(
            f"{name}: {shown(given)} is not an integer from {low} to {high}", "Query", name
        )
    return int(given)


def flag(req: Request, name: str) -> bool:
    """Return the boolean parameter `name`; False if the request does not have the parameter.

    Raises:
        BadRequest: the value is none of ``true``, ``false``, ``1``, ``0``.
    """
    given = req.get_param(name)
    if not given:
        return False
    if given not in _FLAGS:
        raise BadRequest(f"{name}: {shown(given)} is none of true, false, 1, 0", "Query", name)
    return _FLAGS[given]


def _value(digits: str) -> int:
    # `int` raises an error for thousands of digits; more than 20 digits are too large anyway.
    return int(digits) if len(digits) <= 20 else MAX_INTEGER + 1


def shown(given: str) -> str:
    """Return a value for an error message: quoted, and cut to 40 characters."""
    return repr(given if len(given) <= 40 else given[:40] + "…")
