"""Flags that several commands share, or that are too many to stand above their command."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

Command = TypeVar("Command", bound=Callable[..., Any])


def with_flags(flags: Sequence[Callable[[Any], Any]]) -> Callable[[Command], Command]:
    """A decorator that adds click's options, which the help then lists in this order."""

    def decorate(command: Command) -> Command:
        for flag in reversed(flags):
            command = flag(command)
        return command

    return decorate
