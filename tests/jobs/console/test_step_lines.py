from __future__ import annotations

from gends.jobs.console.step_lines import MOST, step_lines


def test_the_most_frequent_come_first_and_the_rest_is_counted():
    counts = {f"s{n}": n for n in range(1, MOST + 4)}
    lines = list(step_lines(counts))
    assert len(lines) == MOST + 1
    assert lines[0].split() == [str(MOST + 3), f"s{MOST + 3}"]
    assert lines[-1].split(maxsplit=1) == ["6", "3 others, named by --json"]


def test_shares_of_a_sample_and_regions_without_steps():
    lines = [line.split(maxsplit=2) for line in step_lines({"|rain": 1, "": 3}, is_sample=True)]
    assert lines == [["about", "75.0%", "untouched"], ["about", "25.0%", "untouched|rain"]]
    assert list(step_lines({})) == []
