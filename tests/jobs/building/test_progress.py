from __future__ import annotations

import json
from collections import Counter

import pytest

from gends.jobs.building.progress import Progress
from gends.jobs.building.tally import Tally, UnitReport


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
