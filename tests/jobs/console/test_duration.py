from __future__ import annotations

from gends.jobs.console.duration import duration


def test_durations():
    assert [duration(s) for s in (0.4, 61, 3723)] == ["0:00:00", "0:01:01", "1:02:03"]
