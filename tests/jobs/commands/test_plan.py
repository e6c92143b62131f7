from __future__ import annotations

import json
import shutil
from collections import Counter

from gends.pipeline.making.unit import make_unit

SMALL = ("--engine", "dry", "--resolution", 64)


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
    assert "10 photographs (1 duplicates, 0 unusable)" in ended.out
    assert "GB" not in ended.out


def test_a_trial_makes_each_degradation_once_whatever_the_replicas(cli, photos, monkeypatch):
    made = []

    def recording(unit, *others):
        made.extend(request.key for view in unit.views for request in view.requests)
        return make_unit(unit, *others)

    monkeypatch.setattr("gends.pipeline.making.unit.make_unit", recording)
    ended = cli("plan", "--clean", photos, *SMALL, "--replicas", 7, "--json")
    assert json.loads(ended.out)["trial_pairs"] == len(made)
    by_photograph = Counter(key.partition("-")[0] for key in made)
    assert len(by_photograph) == 3
    assert set(by_photograph.values()) <= {5, 6}
    assert len({key.rpartition("-")[0] for key in made}) == len(made)


def test_where_all_trial_pairs_are_rejected_no_size_is_made_up(cli, photos):
    arguments = ("plan", "--clean", photos, *SMALL, "--filter-structure-min", 1)
    ended = cli(*arguments)
    assert "size as all trial pairs were rejected (structure " in ended.out
    assert "GB" not in ended.out
    facts = json.loads(cli(*arguments, "--json").out)
    assert (facts["bytes_per_pair"], facts["estimated_bytes"]) == (None, None)
    assert facts["seconds_per_pair"] > 0


def test_photographs_that_will_fail_are_counted(cli, photos, tmp_path):
    shutil.copy(photos.parent / "rocket left.png", tmp_path)
    (tmp_path / "words.tar").write_text("no tar")
    ended = cli("plan", "--clean", tmp_path, "--no-trial")
    assert "2 photographs (0 duplicates, 1 unusable), 12 requested pairs" in ended.out
    (tmp_path / "list.txt").write_text("rocket left.png\nmissing.jpg\n# old.png\n./#.png\n")
    ended = cli("plan", "--clean", tmp_path / "list.txt", "--no-trial")
    assert "3 photographs (0 duplicates, 2 unusable)" in ended.out
    assert "passed over: comment lines 1 (line 3)" in ended.out


def test_where_no_photograph_can_be_used_the_reasons_and_2_are_the_end(cli, tmp_path):
    for name in ("a.png", "b.jpg"):
        (tmp_path / name).write_bytes(b"%!PS-Adobe-3.0 EPSF-3.0 " + name.encode())
    ended = cli("plan", "--clean", tmp_path, "--engine", "dry")
    assert ended.code == 2
    assert "no estimate: none of the first 2 photographs can be used" in ended.out
    assert "undecodable: b.jpg: not an image of a known format" in ended.out
    ended = cli("plan", "--clean", tmp_path, "--engine", "dry", "--json")
    assert ended.code == 2
    assert len(json.loads(ended.out)["trial_failures"]) == 2
    (tmp_path / "list.txt").write_text("gone.png\n")
    assert cli("plan", "--clean", tmp_path / "list.txt", "--no-trial").code == 2


def test_what_run_would_refuse_is_refused_without_a_trial_too(cli, photos):
    for setting, says in (("--model=nope", "nope"), ("--filter-metrics=psnrr=20:", "psnrr")):
        ended = cli("plan", "--clean", photos, "--no-trial", setting)
        assert (ended.code, ended.out) == (2, "")
        assert says in ended.err


def test_mixtures_are_counted_by_label_and_steps(cli, photos, tmp_path, monkeypatch):
    settings = tmp_path / "mixtures.yaml"
    settings.write_text(
        "engine: parametric\nresolution: 64\nmixtures:\n"
        "  - {name: haze, steps: [haze]}\n"
        "  - {name: orders, pairs: 12, steps: {shuffled: [rain, haze, noise]}}\n"
    )
    arguments = ("plan", settings, "--clean", photos)
    facts = json.loads(cli(*arguments, "--json").out)
    assert facts["degradations"]["orders"] == 12
    assert set(facts["steps"]) == {"orders"}
    assert set(facts["steps"]["orders"].values()) == {2}
    assert not facts["steps_sampled"]
    assert facts["trial_pairs"] == 3 + 3
    out = cli(*arguments, "--no-trial").out
    assert "         12  orders\n" in out
    assert out.count("             2  ") == 6
    monkeypatch.setattr("gends.pipeline.planning.step_counts.MOST_DRAWN", 4)
    out = cli(*arguments, "--no-trial").out
    assert "about " in out
    assert "(shares of steps are those of a sample of the photographs)" in out
