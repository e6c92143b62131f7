from __future__ import annotations

import pytest

from gends.pipeline.export.pair import read_pairs
from gends.pipeline.export.selection import Selection
from gends.pipeline.format.damage import PairError
from gends.pipeline.format.manifest import shard_name
from gends.pipeline.reading.reader import read_manifest


def stop(error: PairError) -> None:
    raise error


def test_the_bytes_of_the_shards_in_the_order_of_the_rows(finished, rows):
    root = finished.store.root
    pairs = list(read_pairs(root, Selection().rows(root), on_damage=stop))
    assert [pair.key for pair in pairs] == list(rows)
    for pair in pairs:
        assert pair.gt == rows[pair.key]["gt_bytes"]
        assert pair.lq == rows[pair.key]["lq_bytes"]
        assert pair.suffix == "png"


@pytest.mark.parametrize("image_format", ["webp", "jpg"])
def test_other_formats_are_told_by_their_bytes(build_dataset, photos, tmp_path, image_format):
    root = build_dataset(photos, tmp_path / "root", limit=2, image_format=image_format).store.root
    pairs = list(read_pairs(root, Selection().rows(root), on_damage=stop))
    assert {pair.suffix for pair in pairs} == {image_format}


def test_damaged_pairs_are_reported_and_the_others_come(copied):
    root = copied.store.root
    rows = read_manifest(root).to_pylist()
    hit = rows[3]
    path = copied.store.path(shard_name(hit["shard"]))
    data = bytearray(path.read_bytes())
    data[hit["lq_offset"] + 40] ^= 1
    path.write_bytes(data)
    with pytest.raises(PairError, match=rf"{hit['key']}\.lq in .* not those that the manifest"):
        list(read_pairs(root, Selection().rows(root), on_damage=stop))
    damaged: list[PairError] = []
    pairs = list(read_pairs(root, Selection().rows(root), on_damage=damaged.append))
    assert [pair.key for pair in pairs] == [r["key"] for r in rows if r["key"] != hit["key"]]
    assert len(damaged) == 1


@pytest.mark.parametrize(
    ("column", "name"), [("key", "../../etc/x"), ("key", "a/b"), ("degradation", "..")]
)
def test_a_name_that_leads_elsewhere_is_damage(finished, column, name):
    root = finished.store.root
    rows = read_manifest(root).slice(0, 1)
    place = rows.schema.get_field_index(column)
    harmful = rows.set_column(place, rows.schema.field(column), [[name]])
    with pytest.raises(PairError, match=rf"manifest/000000.parquet: .* is no {column} that can"):
        list(read_pairs(root, [harmful], on_damage=stop))
