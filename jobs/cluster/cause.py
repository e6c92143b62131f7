"""What is behind an error of Ray's, and whether the unit that met it is to blame."""

from __future__ import annotations

from typing import Literal

from ray.exceptions import (
    LocalRayletDiedError,
    NodeDiedError,
    ObjectLostError,
    ObjectStoreFullError,
    OutOfDiskError,
    RayError,
    RayTaskError,
)

from gends.jobs.cluster.gpu import gpu_failed
from gends.jobs.errors import BuildError
from gends.pipeline.format.damage import DamageError

Blame = Literal["unit", "memory", "machine", "lost"]
"""Who is: what was worked on, memory that fell short, a disk or GPU that failed, a process or
machine that is gone."""

_OUT_OF_MEMORY = "OutOfMemoryError"
"""Of Ray and of torch, which is not imported for its sake."""


def origin(error: BaseException) -> BaseException:
    """What went wrong at the bottom: Ray wraps an error once for each task it passes through."""
    while isinstance(error, RayTaskError) and isinstance(error.cause, Exception):
        error = error.cause
    return error


def last_line(error: BaseException) -> str:
    """The end of an error's text: of a traceback, what was raised."""
    lines = str(error).strip().splitlines()
    return lines[-1] if lines else type(error).__name__


def what_is_said(cause: BaseException) -> str:
    """The line of an error's text that tells most: PyTorch goes on about its own build after it."""
    if isinstance(cause, RayError):
        return last_line(cause)
    line = str(cause).strip().split("\n")[0]
    return f"storage failed: {line}" if isinstance(cause, OSError) else line


def blame(error: BaseException) -> Blame:
    """Who is to blame for an error of a stage, as far as the error itself says.

    A process that died blames its unit: why it died, `losses` may know better.
    """
    cause = origin(error)
    short = isinstance(cause, MemoryError | ObjectStoreFullError)
    if short or type(cause).__name__ == _OUT_OF_MEMORY:
        return "memory"
    if isinstance(cause, NodeDiedError | ObjectLostError | LocalRayletDiedError):
        return "lost"
    if isinstance(cause, OutOfDiskError) or _is_machine(cause):
        return "machine"
    return "unit"


def _is_machine(cause: BaseException) -> bool:
    """Whether a stage met its surroundings: what is wrong with a photograph it makes a row."""
    if isinstance(cause, RayError):
        return False
    return gpu_failed(cause) or isinstance(cause, OSError | DamageError | BuildError)
