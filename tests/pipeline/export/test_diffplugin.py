from __future__ import annotations

import csv


def test_a_list_per_task_clean_first(exported, rows):
    out, _ = exported("diffplugin")
    tasks = {row["degradation"] for row in rows.values()}
    assert {path.stem for path in out.glob("*.csv")} == tasks
    for task in tasks:
        with open(out / f"{task}.csv", encoding="utf-8", newline="") as file:
            header, *lines = csv.reader(file)
        assert header == ["image", "conditioning_image"]
        expected = [row for row in rows.values() if row["degradation"] == task]
        assert len(lines) == len(expected)
        for (clean, degraded), row in zip(lines, expected, strict=True):
            assert (out / clean).read_bytes() == row["gt_bytes"]
            assert (out / degraded).read_bytes() == row["lq_bytes"]
