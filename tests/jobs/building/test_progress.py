from __future__ import annotations

import json
import re
import time
from collections import Counter

import pytest

from gends.jobs.building import progress
from gends.jobs.building.progress import Progress, alive
from gends.jobs.building.tally import Tally, UnitReport
from gends.jobs.console.duration import duration


@pytest.fixture
def tally() -> Tally:
    tally = Tally(total=100, resumed=20, num_workers=2)
    tally.ended = tally.started + 10.0
    tally.add(
        UnitReport(
            shard=0,
            index=0,
            statuses=Counter(accepted=35, rejected=4, failed=1),
            reasons=Counter(mu_low=4, undecodable=1),
            redrawn=6,
            seconds=12.0,
        )
    )
    return tally


def test_a_tally_counts(tally):
    assert tally.done == 40
    assert tally.rate == pytest.approx(4)
    assert tally.eta == pytest.approx(10)
    assert tally.busy_share == pytest.approx(0.6)
    assert (Tally(total=5).eta, Tally(total=5).busy_share) == (None, None)


def test_plain_lines_are_few(tally, capsys):
    plain = Progress()
    with plain:
        for _ in range(100):
            plain(tally)
        plain(tally, final=True)
    captured = capsys.readouterr()
    assert captured.out == ""
    first, last = captured.err.splitlines()
    assert first.startswith("60/100 pairs (60%), now: 35 accepted, 4 rejected, 1 failed  4.0")
    assert last == first


def test_json_lines_go_to_standard_output(tally, capsys):
    for_programs = Progress("json")
    with for_programs:
        for_programs(tally)
    captured = capsys.readouterr()
    facts = json.loads(captured.out)
    assert captured.err == ""
    assert facts["event"] == "progress"
    assert (facts["resumed"], facts["done"], facts["redrawn"]) == (20, 40, 6)
    assert facts["worker_busy_share"] == pytest.approx(0.6)


def test_what_takes_long_is_told_at_first_and_then_now_and_then(monkeypatch, capsys):
    monkeypatch.setattr(progress, "PLAIN_SECONDS", 0.05)
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


def test_durations():
    assert [duration(s) for s in (0.4, 61, 3723)] == ["0:00:00", "0:01:01", "1:02:03"]
