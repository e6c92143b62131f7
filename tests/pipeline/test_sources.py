from __future__ import annotations

import io
import json
import os
import tarfile
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from gends.pipeline.sources import COLUMNS, SourceError, SourceRow, base_folder, read_source


def rows(source: Path) -> list[SourceRow]:
    return sorted(read_source(source), key=lambda row: row.uri)


def touch(path: Path, data: bytes = b"x") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return path


def add(archive: tarfile.TarFile, name: str, data: bytes) -> None:
    member = tarfile.TarInfo(name)
    member.size = len(data)
    archive.addfile(member, io.BytesIO(data))


def test_a_folder_is_searched_for_images_with_captions_beside_them(tmp_path):
    for name in ("a.PNG", "deep/er/b b.c.jpg", "ünï/图片.webp", ".hidden.png", ".d/c.png", "d.pdf"):
        touch(tmp_path / name)
    touch(tmp_path / "deep/er/b b.c.txt", "\ufeff a canal \n".encode())
    touch(tmp_path / "a.txt", b"\xff not utf-8")

    found = rows(tmp_path)

    assert [row.uri for row in found] == ["a.PNG", "deep/er/b b.c.jpg", "ünï/图片.webp"]
    assert [row.caption for row in found] == [None, "a canal", None]
    assert base_folder(tmp_path) == tmp_path


def test_links_in_a_folder_are_followed_but_never_in_circles(tmp_path):
    touch(tmp_path / "elsewhere/far.png")
    touch(tmp_path / "root/near.png")
    (tmp_path / "root/link").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "elsewhere/back").symlink_to(tmp_path / "root")
    (tmp_path / "root/self.png").symlink_to(tmp_path / "root/self.png")
    (tmp_path / "root/gone.png").symlink_to(tmp_path / "nowhere.png")

    found = [row.uri for row in rows(tmp_path / "root")]

    assert found == ["gone.png", "link/far.png", "near.png", "self.png"]


def test_a_name_that_is_not_utf8_is_spelled_out(tmp_path):
    touch(Path(os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9.png")))
    assert [row.uri for row in rows(tmp_path)] == ["caf\\xe9.png"]


def test_a_list_file_has_a_path_per_line(tmp_path):
    source = touch(tmp_path / "list.txt", "\ufeffa b.png\r\n\r\n/abs/ü.jpg \n".encode())
    assert [row.uri for row in read_source(source)] == ["a b.png", "/abs/ü.jpg "]
    assert base_folder(source) == tmp_path


FULL = {
    "uri": "a.png",
    "source_id": "a_1",
    "dataset": "RESIDE",
    "degradation": "haze",
    "caption": 'a "quoted", street',
    "split": "test",
}
EXPECTED = [SourceRow(**FULL), SourceRow(uri="b.png")]


@pytest.mark.parametrize(("suffix", "delimiter"), [(".csv", ","), (".tsv", "\t"), (".CSV", ",")])
def test_a_table_of_text(tmp_path, suffix, delimiter):
    quoted = [f'"{value}"' for value in FULL.values()]
    quoted[4] = '"a ""quoted"", street"'
    lines = [delimiter.join(["note", *FULL]), delimiter.join(["-", *quoted]), f"-{delimiter}b.png"]
    source = touch(tmp_path / f"table{suffix}", ("\ufeff" + "\n".join(lines)).encode())
    assert list(read_source(source)) == EXPECTED


def test_a_parquet_table_may_hold_numbers_and_other_columns(tmp_path):
    table = {name: [value, None] for name, value in FULL.items()} | {"uri": ["a.png", "b.png"]}
    pq.write_table(pa.table(table | {"width": [1, 2]}), tmp_path / "a.parquet")
    assert list(read_source(tmp_path / "a.parquet")) == EXPECTED

    pq.write_table(pa.table({"uri": ["c.png"], "source_id": [7]}), tmp_path / "b.parquet")
    assert list(read_source(tmp_path / "b.parquet")) == [SourceRow(uri="c.png", source_id="7")]


def test_tar_shards_give_offsets_captions_and_facts(tmp_path):
    (tmp_path / "odd!").mkdir()
    path = tmp_path / "odd!" / "shard 1.TAR"
    with tarfile.open(path, "w") as archive:
        add(archive, "one.jpg", b"first image")
        add(archive, "one.txt", b" a boat ")
        add(archive, "v1.2/two.json", json.dumps({"degradation": "rain", "caption": "x"}).encode())
        add(archive, "v1.2/two.PNG", b"second")
        add(archive, "README", b"-")

    for source, prefix in ((path, ""), (tmp_path, "odd!/")):
        one, two = rows(source)
        assert (one.uri, one.caption) == (f"{prefix}shard 1.TAR!one.jpg", "a boat")
        assert (two.caption, two.degradation, two.dataset) == ("x", "rain", None)
        data = path.read_bytes()
        assert data[one.offset : one.offset + one.size] == b"first image"
        assert data[two.offset : two.offset + two.size] == b"second"


@pytest.mark.parametrize(
    ("name", "data", "says"),
    [
        ("photo.png", b"", "name its folder"),
        ("a.zip", b"", r"ending in \.txt"),
        ("a.csv", b"path\na.png\n", "no column 'uri' among path; known columns: uri"),
        ("empty.csv", b"", "no column 'uri' among no columns"),
        ("hole.csv", b"uri,caption\n,a boat\n", "a row has no uri"),
        ("latin.txt", b"caf\xe9.png\n", r"latin\.txt: .*utf-8"),
        ("latin.csv", b"uri\ncaf\xe9.png\n", r"latin\.csv: .*utf-8"),
        ("bad.parquet", b"no parquet", r"bad\.parquet: .*[Pp]arquet"),
        ("bad.tar", b"no tar at all", r"bad\.tar: .*repair it"),
        ("short.tar", None, r"short\.tar: .*repair it"),
        ("list.tar", None, r"list\.tar!a\.json: expected a JSON object, got \[1\]"),
    ],
)
def test_what_cannot_be_a_source_is_named(tmp_path, name, data, says):
    if data is None:
        buffer = io.BytesIO()
        with tarfile.open(fileobj=buffer, mode="w") as archive:
            add(archive, "a.json", b"[1]")
            add(archive, "a.png", bytes(5000))
        data = buffer.getvalue()[: 3000 if name == "short.tar" else None]
    touch(tmp_path / name, data)
    with pytest.raises(SourceError, match=says):
        list(read_source(tmp_path / name))


def test_a_missing_source_is_named(tmp_path):
    with pytest.raises(SourceError, match=r"gone: no such file or folder"):
        list(read_source(tmp_path / "gone"))


def test_a_broken_tar_inside_a_folder_is_named(tmp_path):
    touch(tmp_path / "deep/bad.tar", b"no tar")
    with pytest.raises(SourceError, match=r"deep/bad\.tar"):
        list(read_source(tmp_path))


def test_every_column_is_a_field_of_a_row():
    assert set(COLUMNS) <= set(SourceRow.__dataclass_fields__)
