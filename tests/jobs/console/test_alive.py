from __future__ import annotations

import re
import time

from gends.jobs.console import alive as module
from gends.jobs.console.alive import alive


def test_what_takes_long_is_told_at_first_and_then_now_and_then(monkeypatch, capsys):
    monkeypatch.setattr(module, "PLAIN_SECONDS", 0.05)
    asked = iter(range(1000))
    with alive(lambda: f"read {next(asked)} photographs", first=0.01):
        time.sleep(1)
    with alive("what is over at once"):
        pass
    time.sleep(0.2)  # nothing is told of what is over
    first, *others = capsys.readouterr().err.splitlines()
    assert first == "read 0 photographs"
    assert 3 <= len(others) <= 20
    assert re.fullmatch(r"read 1 photographs \(0:00:0\d so far\)", others[0])
    assert "over at once" not in "".join(others)
