"""Calls that may kill their process or hang, each by itself: what fails alone is at fault."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import ray
from ray.exceptions import GetTimeoutError, NodeDiedError, RayError, RayTaskError

from gends.jobs.cluster.cause import blame, last_line, origin
from gends.jobs.cluster.losses import Losses
from gends.pipeline.types import Failure

RETRIES = 2
"""Times that what killed its process is tried again alone."""


class Alone:
    """Makes calls of `timeout` seconds at most and turns what is wrong with them into failures."""

    def __init__(self, timeout: float) -> None:
        """What the cluster loses from now on is no fault of a call."""
        self._timeout = timeout
        self._losses = Losses()

    def call(self, send: Callable[[], Any], end: Callable[[Any], None], what: str) -> Any | Failure:
        """The result of what is sent, or its last failure.

        A death is tried again; a call that hangs is ended and is not.

        Raises:
            RayError, MemoryError: the cluster or its storage failed, and not the call; the driver
                decides what then.
        """
        for _ in range(1 + RETRIES):
            reference = send()
            try:
                return ray.get(reference, timeout=self._timeout)
            except RayError as error:
                self._pass_on(error)
                failure = self._failure(error, what)
                if isinstance(error, GetTimeoutError):
                    end(reference)
                    break
        return failure

    def _pass_on(self, error: RayError) -> None:
        if isinstance(error, GetTimeoutError):
            return
        if blame(error) != "unit":
            raise error
        if isinstance(origin(error), RayError) and self._losses.any():
            raise (MemoryError() if self._losses.of_memory() else NodeDiedError("")) from error

    def _failure(self, error: RayError, what: str) -> Failure:
        if isinstance(error, GetTimeoutError):
            return Failure(code=f"{what}_hung", detail=f"no result within {self._timeout:g} s")
        if isinstance(error, RayTaskError) and not isinstance(error.cause, RayError):
            return Failure(code=f"{what}_error", detail=last_line(error))
        # Ray's own text holds process numbers and addresses, and manifests are reproducible.
        return Failure(code=f"{what}_died", detail="the process that worked on it ended abnormally")
