from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass

import pytest

from gends.jobs import cli as command_line


@dataclass(frozen=True)
class Ended:
    code: object
    out: str
    err: str


@pytest.fixture
def cli(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., Ended]:
    """(*arguments) runs gends-build in this process: for commands that start no Ray."""

    def run(*arguments: object) -> Ended:
        monkeypatch.setattr(sys, "argv", ["gends-build", *map(str, arguments)])
        code: object = 0
        try:
            command_line.run()
        except SystemExit as stop:
            code = stop.code
        return Ended(code, *capsys.readouterr())

    return run
