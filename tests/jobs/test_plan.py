from __future__ import annotations

import json


def test_counts_what_run_would_make_and_writes_nothing(cli, photos, finished, tmp_path):
    (tmp_path / "settings.yaml").write_text(
        "engine: dry\nresolution: 64\nshard_size: 12\nunit_images: 1\nseed: 3\n"
    )
    before = sorted(tmp_path.iterdir())
    ended = cli(
        *("plan", tmp_path / "settings.yaml", "--clean", photos, "--clean-dataset", "photos"),
        *("--workers", 2, "--json"),
    )
    assert ended.code == 0, ended.err
    facts = json.loads(ended.out)
    plan = finished.plan
    assert facts["images"] == len(plan.catalog)
    assert facts["duplicates"] == 1
    assert facts["requests"] == plan.num_requests() == sum(facts["degradations"].values())
    assert facts["degradations"]["haze"] == facts["degradations"]["rain"] - 2
    assert facts["shards"] == plan.num_shards
    assert facts["estimated_bytes"] > facts["requests"] * 1000
    seconds = facts["seconds_per_pair"] * facts["requests"] / 2
    assert facts["estimated_seconds"] == seconds
    assert sorted(tmp_path.iterdir()) == before


def test_plain_lines_without_a_trial(cli, photos):
    ended = cli("plan", "--clean", photos, "--replicas", 2, "--no-trial")
    assert ended.code == 0
    assert "10 photographs (1 duplicates)" in ended.out
    assert "GB" not in ended.out
