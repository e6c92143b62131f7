from __future__ import annotations

import shutil

import pytest

from gends.pipeline.export.formats import WRITERS, export
from gends.pipeline.export.selection import Selection
from gends.pipeline.format.damage import PairError
from gends.pipeline.format.manifest import shard_name
from gends.pipeline.reading.reader import read_manifest


def contents(folder) -> dict[str, bytes]:
    files = (path for path in folder.rglob("*") if path.is_file())
    # A lock file holds no data, and the process that made it.
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in files
        if "lock" not in path.name
    }


@pytest.mark.parametrize("name", sorted(set(WRITERS)))
def test_repeats_itself_byte_by_byte_and_does_nothing_twice(exported, name, rows):
    out, done = exported(name)
    assert (done.num_pairs, done.num_damaged, done.fresh) == (len(rows), 0, True)
    made = contents(out)
    _, again = exported(name)
    assert (again.num_pairs, again.fresh) == (len(rows), False)
    assert contents(out) == made
    shutil.rmtree(out)
    exported(name)
    assert contents(out) == made


def test_another_export_in_the_same_place_is_refused(exported):
    out, _ = exported("folder", limit=3)
    with pytest.raises(FileExistsError, match="differs in selection, num_selected"):
        exported("folder", limit=4)
    with pytest.raises(FileExistsError, match="differs in format"):
        exported("diffplugin", limit=3)
    assert len(list(out.rglob("*.png"))) == 6


def test_progress_counts_every_pair(finished, tmp_path, rows):
    told: list[tuple[int, int]] = []
    export(
        "diffplugin",
        finished.store.root,
        tmp_path / "out",
        selection=Selection(),
        report=lambda done, total: told.append((done, total)),
    )
    assert told == [(number + 1, len(rows)) for number in range(len(rows))]


@pytest.mark.parametrize("name", sorted(set(WRITERS)))
def test_damage_stops_or_is_left_out_and_counted(copied, tmp_path, name):
    root = copied.store.root
    hit = read_manifest(root).to_pylist()[5]
    path = copied.store.path(shard_name(hit["shard"]))
    data = bytearray(path.read_bytes())
    data[hit["gt_offset"] + 50] ^= 1
    path.write_bytes(data)
    out = tmp_path / "out"
    with pytest.raises(PairError, match=hit["key"]):
        export(name, root, out, selection=Selection())
    assert sorted(path.name for path in tmp_path.iterdir()) == ["copied"]
    skipped: list[PairError] = []
    done = export(name, root, out, selection=Selection(), skip=skipped.append)
    assert (done.num_damaged, len(skipped)) == (1, 1)
    assert done.num_pairs == len(read_manifest(root)) - 1
    with pytest.raises(FileExistsError, match=r"lacks 1 pairs that were damaged .* remove it"):
        export(name, root, out, selection=Selection())
    again = export(name, root, out, selection=Selection(), skip=skipped.append)
    assert (again.num_damaged, again.num_pairs, again.fresh) == (1, done.num_pairs, False)
