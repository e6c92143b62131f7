"""Builds in one plain process without Ray, to kill or to hold at a step."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from gends.pipeline.storage.faults import VARIABLE
from gends.pipeline.storage.opening import open_store
from gends.pipeline.storage.store import Store

SCRIPT = Path(__file__).parents[1] / "faults" / "resume.py"
PATIENCE = "0.5"


@dataclass
class PlainBuild:
    """A build in a process of its own."""

    pid: int
    output: Path
    errors: Path
    code: int | None = None
    """How it ended, once it was waited for."""

    def wait(self) -> int:
        """Wait for its end; returns its exit code."""
        if self.code is None:
            self.code = _ask(wait=self.pid)
        return self.code

    def last_error(self) -> str:
        """The last line that it wrote of what went wrong."""
        return "".join(self.errors.read_text().strip().splitlines()[-1:])

    def kill(self) -> None:
        """End it if it has not ended."""
        if self.code is None:
            os.kill(self.pid, signal.SIGKILL)
            self.wait()


def start(url: str, scratch: Path, fault: str = "", *, retry: bool = False) -> PlainBuild:
    """Go on with a build; with `retry`, make what failed again before."""
    environment = {**os.environ, VARIABLE: fault} if fault else {**os.environ}
    number = len(list(scratch.glob("*.err")))
    output = [scratch / f"{number}.out", scratch / f"{number}.err"]
    output[1].touch()
    arguments = [url, PATIENCE, *(["60", "retry"] if retry else [])]
    names = [str(path) for path in output]
    return PlainBuild(_ask(arguments=arguments, environment=environment, output=names), *output)


def made_by(build: PlainBuild) -> int:
    """Units that a build made, when it has ended well."""
    assert build.wait() == 0, build.errors.read_text()
    return int(build.output.read_text())


@cache
def _server() -> subprocess.Popen[str]:
    """Forks the builds; it ends with this process, when its standard input does."""
    return subprocess.Popen(
        [sys.executable, str(SCRIPT)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )


def _ask(**wanted: Any) -> int:
    server = _server()
    assert server.stdin is not None
    assert server.stdout is not None
    server.stdin.write(json.dumps(wanted) + "\n")
    server.stdin.flush()
    return int(server.stdout.readline())


def upload(root: Path, url: str) -> None:
    """Copy a founded root into a bucket."""
    store = open_store(url)
    for path in root.iterdir():
        if path.is_file():
            with store.publish(path.name) as file:
                file.write(path.read_bytes())


def wait_for(path: Path) -> None:
    deadline = time.monotonic() + 60
    while not path.exists():
        assert time.monotonic() < deadline, f"{path.name} never came"
        time.sleep(0.01)


def forget_machine(store: Store) -> None:
    """Make the lease look like that of another machine: its process cannot be asked for."""
    (name,) = (name for name in store.names("lease") if name.endswith(".json"))
    text = store.read(f"lease/{name}").decode()
    with store.publish(f"lease/{name}") as file:
        file.write(text.replace('"host": "', '"host": "other-').encode())
