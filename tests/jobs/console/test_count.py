from __future__ import annotations

import itertools
import re
import time

import pytest

from gends.jobs.console import count as count_module
from gends.jobs.console import last_line
from gends.jobs.console.count import Count


def test_says_now_and_then_how_far_it_is_and_when_it_ends(monkeypatch, capsys):
    monkeypatch.setattr(last_line.time, "monotonic", itertools.count(step=11).__next__)
    with Count("pictures", 4) as count:
        count.step()
        count.say("failed: a.png: no picture")
        count.step()
    first, said, second = capsys.readouterr().err.splitlines()
    assert re.fullmatch(r"1/4 pictures  [\d.]+ a second  ETA \d:\d\d:\d\d", first)
    assert said == "failed: a.png: no picture"
    assert second.startswith("2/4 pictures")


def test_does_not_say_so_for_every_picture(capsys):
    with Count("pairs", 1000) as count:
        for _ in range(1000):
            count.step()
    assert capsys.readouterr().err == ""


def test_says_so_too_while_the_first_takes_long(monkeypatch, capsys):
    monkeypatch.setattr(count_module, "FIRST_SECONDS", 0.01)
    with Count("pairs", 9), Count("rows"):
        time.sleep(0.3)
    lines = sorted(capsys.readouterr().err.splitlines())
    assert lines == ["0/9 pairs  0.00 a second  ETA ?", "0/? rows  0.00 a second  ETA ?"]


def test_an_error_inside_goes_on_its_way():
    with pytest.raises(ValueError, match="mine"), Count("pairs", 1):
        raise ValueError("mine")
