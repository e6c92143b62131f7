"""What is behind an error of Ray's."""

from __future__ import annotations

from ray.exceptions import RayTaskError


def origin(error: BaseException) -> BaseException:
    """What went wrong at the bottom: Ray wraps an error once for each task it passes through."""
    while isinstance(error, RayTaskError) and isinstance(error.cause, Exception):
        error = error.cause
    return error


def last_line(error: BaseException) -> str:
    """The end of an error's text: of a traceback, what was raised."""
    return str(error).strip().splitlines()[-1]
