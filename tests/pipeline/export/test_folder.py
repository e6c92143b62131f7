from __future__ import annotations

import json


def test_a_tree_of_the_shards_own_bytes(exported, rows):
    out, _ = exported("folder")
    for key, row in rows.items():
        for part in ("gt", "lq"):
            path = out / row["degradation"] / part / f"{key}.png"
            assert path.read_bytes() == row[f"{part}_bytes"]
    assert len(list(out.rglob("*.png"))) == 2 * len(rows)


def test_sorted_listings_pair(exported):
    out, _ = exported("folder")
    for folder in out.iterdir():
        if folder.is_dir():
            gt, lq = (sorted(path.name for path in (folder / part).iterdir()) for part in PARTS)
            assert gt == lq
            listed = (folder / "meta_info.txt").read_text().splitlines()
            assert sorted(listed) == [f"{name} (64,64,3)" for name in gt]


PARTS = ("gt", "lq")


def test_a_line_of_facts_per_pair(exported, rows):
    out, _ = exported("folder", degradations=("haze",))
    lines = (out / "metadata.jsonl").read_text("utf-8").splitlines()
    facts = [json.loads(line) for line in lines]
    assert [f["key"] for f in facts] == [k for k, r in rows.items() if r["degradation"] == "haze"]
    for fact in facts:
        row = rows[fact["key"]]
        assert (out / fact["lq"]).read_bytes() == row["lq_bytes"]
        assert (out / fact["gt"]).read_bytes() == row["gt_bytes"]
        assert fact["caption"] == row["caption"]
        assert abs(fact["mu"] - row["mu"]) < 1e-6
