from __future__ import annotations

import errno
import io
import json
import os
import tarfile
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from gends.pipeline.sources.columns import COLUMNS
from gends.pipeline.sources.source import SourceError, base_folder, read_source
from gends.pipeline.storage.store import StorageError
from gends.pipeline.types import SourceRow


def rows(source: Path, **options: Any) -> list[SourceRow]:
    return sorted(read_source(source, **options), key=lambda row: row.uri)


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


def tar(path: Path, members: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for name, data in members.items():
            add(archive, name, data)
    touch(path, buffer.getvalue())
    return buffer.getvalue()


GOOD = {f"{name}.png": bytes([number]) * 700 for number, name in enumerate("abc", start=65)}


def test_links_in_a_folder_are_followed_but_never_in_circles(tmp_path):
    touch(tmp_path / "elsewhere/far.png")
    touch(tmp_path / "root/near.png")
    (tmp_path / "root/link").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "elsewhere/back").symlink_to(tmp_path / "root")
    (tmp_path / "root/self.png").symlink_to(tmp_path / "root/self.png")
    (tmp_path / "root/gone.png").symlink_to(tmp_path / "nowhere.png")

    found = sorted(row.uri for row in read_source(tmp_path / "root", outside=True))

    assert found == ["gone.png", "link/far.png", "near.png", "self.png"]


OUTSIDE = "leads outside the source's folder; copy it there, or allow it: --outside"


def test_links_that_lead_out_of_a_folder_are_refused(tmp_path):
    touch(tmp_path / "elsewhere/far.png")
    touch(tmp_path / "elsewhere/secret.txt", b"not for a caption")
    tar(tmp_path / "elsewhere/s.tar", GOOD)
    root = tmp_path / "root"
    touch(root / "deep/near.png")
    touch(root / "told.png")
    for name, target in {
        "folder": "elsewhere",
        "photo.png": "elsewhere/far.png",
        "gone.png": "nowhere.png",
        "shard.tar": "elsewhere/s.tar",
        "told.txt": "elsewhere/secret.txt",
        "alike.png": "root2.png",
        "in.png": "root/deep/near.png",
        "within": "root/deep",
    }.items():
        (root / name).symlink_to(tmp_path / target)
    (tmp_path / "link to root").symlink_to(root)

    for source in (root, tmp_path / "link to root"):
        found = {row.uri: row.problem for row in rows(source)}
        refused = ("alike.png", "folder", "gone.png", "photo.png", "shard.tar")
        assert found == {
            **dict.fromkeys(refused, f"its link {OUTSIDE}"),
            "told.png": f"the link of its caption {OUTSIDE}",
            **dict.fromkeys(("deep/near.png", "in.png", "within/near.png")),
        }
        assert not any(row.caption for row in rows(source))
    allowed = list(read_source(root, outside=True))
    assert not any(row.problem for row in allowed)
    assert "not for a caption" in [row.caption for row in allowed]


@pytest.mark.parametrize("suffix", [".txt", ".csv", ".parquet"])
def test_paths_that_lead_out_of_a_list_are_refused(tmp_path, suffix):
    (tmp_path / "lists" / "deep").mkdir(parents=True)
    (tmp_path / "lists" / "up").symlink_to(tmp_path)
    inside = ["a.png", f"{tmp_path}/lists/b.png", "deep/../c.png", "../lists/d.png"]
    out = ["../a.png", "/etc/passwd", "up/e.png", "deep/../../f.png", f"{tmp_path}/lists2/g.png"]
    source = tmp_path / "lists" / f"l{suffix}"
    if suffix == ".parquet":
        pq.write_table(pa.table({"uri": inside + out}), source)
    else:
        source.write_text("\n".join(["uri"] * (suffix == ".csv") + inside + out))
    found = {row.uri: row.problem for row in read_source(source)}
    assert found == {**dict.fromkeys(inside), **dict.fromkeys(out, f"its path {OUTSIDE}")}
    assert not any(row.problem for row in read_source(source, outside=True))


def test_names_with_control_characters_are_refused_and_spelled_out(tmp_path):
    names = ["a\nb.png", "\x1b[2Jc.png", "d\u2028e.png", "\u202egnp.f"]
    root = tmp_path / "root"
    for name in [*names[:3], "a\\nb.png"]:
        touch(root / name)
    tar(root / "new\rline.tar", {"a.png": b"1"})
    spelled = ["a\\nb.png", "\\x1b[2Jc.png", "d\\u2028e.png", "\\u202egnp.f"]
    says = "its name holds control characters; rename it"

    found = rows(root)
    problems = {(row.uri, row.problem) for row in found}
    members = {(name, says) for name in (*spelled[:3], "new\\rline.tar!a.png")}
    assert problems == members | {("a\\nb.png", None)}
    assert len({row.source_id or row.uri for row in found}) == len(found) == 5

    pq.write_table(pa.table({"uri": [*names, "x\0.png"]}), tmp_path / "t.parquet")
    found = list(read_source(tmp_path / "t.parquet"))
    assert [(row.uri, row.problem) for row in found] == [
        (name, says) for name in [*spelled, "x\\x00.png"]
    ]


def test_a_caption_that_is_no_file_or_has_no_end_is_left_alone(tmp_path):
    touch(tmp_path / "a.png")
    touch(tmp_path / "b.png")
    os.mkfifo(tmp_path / "a.txt")
    os.truncate(touch(tmp_path / "b.txt"), 1 << 40)
    assert [(row.caption, row.problem) for row in rows(tmp_path)] == [(None, None)] * 2


@pytest.mark.parametrize("length", [65_535, 65_536, 131_072, 200_000])
def test_a_line_that_is_too_long_fails_alone(tmp_path, length):
    source = touch(tmp_path / "l.txt", b"a.png\n" + b"x" * length + b"\nb.png\n" + b"y" * 200_000)
    first, long, after, last = list(read_source(source))
    assert [row.uri for row in (first, after)] == ["a.png", "b.png"]
    assert (first.problem, after.problem) == (None, None)
    says = "characters, over the most of 4096" if length < 65_536 else "line 2 has over 65536"
    assert says in long.problem
    assert (last.uri, len(long.uri) < 300) == ("l.txt, line 4", True)
    assert last.problem == "line 4 has over 65536 characters; give one path per line"


def test_a_column_that_is_no_text_is_refused(tmp_path):
    dates = pa.array([10**17], pa.date64())  # beyond what Python's dates can hold
    pq.write_table(pa.table({"uri": ["a.png"], "caption": dates}), tmp_path / "t.parquet")
    with pytest.raises(SourceError, match=r"column 'caption' holds date.*make it text"):
        list(read_source(tmp_path / "t.parquet"))


def test_a_name_that_is_not_utf8_is_spelled_out(tmp_path):
    touch(Path(os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9.png")))
    (row,) = rows(tmp_path)
    assert (row.uri, row.problem) == ("caf\\xe9.png", "its name is not UTF-8; rename it")


def test_a_list_file_has_a_path_per_line(tmp_path):
    source = touch(tmp_path / "list.txt", "\ufeffa b.png\r\n\r\n/abs/ü.jpg \n".encode())
    found = [row.uri for row in read_source(source, outside=True)]
    assert found == ["a b.png", "/abs/ü.jpg "]
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
        ("semicolons.csv", b"uri;caption\na.png;a boat\n", "what separates columns is a comma"),
        ("wide.txt", "a.png\n".encode("utf-16"), r"wide\.txt: it is UTF-16; save it as UTF-8"),
        ("wide.csv", "uri\na.png\n".encode("utf-16"), r"wide\.csv: it is UTF-16"),
        ("bad.parquet", b"no parquet", r"bad\.parquet: .*[Pp]arquet"),
        ("bad.tar", b"no tar at all", r"bad\.tar: no tar .*repair it"),
    ],
)
def test_what_cannot_be_a_source_is_named(tmp_path, name, data, says):
    touch(tmp_path / name, data)
    with pytest.raises(SourceError, match=says):
        list(read_source(tmp_path / name))


def test_a_missing_source_is_named(tmp_path):
    with pytest.raises(SourceError, match=r"gone: no such file or folder"):
        list(read_source(tmp_path / "gone"))


# Bad tars in a folder: a row that says why, and everything else as if they were not there


SECOND_HEADER = 512 + 1024
LAST_HEADER = 2 * SECOND_HEADER


@pytest.mark.parametrize(
    ("damage", "whole"),
    [
        (lambda data: b"no tar", ""),
        (lambda data: b"", ""),
        (lambda data: data[:100], ""),
        (lambda data: data[: SECOND_HEADER + 100], ""),  # within a header
        (lambda data: data[: SECOND_HEADER + 600], "a"),  # within a photograph
        (lambda data: data[: LAST_HEADER + 600], "ab"),
        (lambda data: data[:LAST_HEADER] + b"\xff" * 100 + data[LAST_HEADER + 100 :], "a"),
        (lambda data: data[:LAST_HEADER] + b"rubbish", "a"),
    ],
)
def test_a_damaged_tar_gives_the_samples_that_are_known_to_be_whole(tmp_path, damage, whole):
    path = tmp_path / "deep" / "bad.tar"
    path.parent.mkdir()
    path.write_bytes(damage(tar(path, GOOD)))
    touch(tmp_path / "fine.png")

    bad, *members, fine = rows(tmp_path)

    assert bad.uri == "deep/bad.tar"
    assert bad.problem.startswith("the tar cannot be read to its end: ")
    assert str(tmp_path) not in bad.problem
    assert [row.uri for row in members] == [f"deep/bad.tar!{name}.png" for name in whole]
    assert not any(row.problem for row in (*members, fine))
    if whole:  # named by itself it is read alike
        assert [row.problem is None for row in rows(path)] == [False, *(True for _ in whole)]


def test_a_tar_without_its_closing_zeros_is_whole(tmp_path):
    data = tar(tmp_path / "a.tar", GOOD)
    (tmp_path / "a.tar").write_bytes(data[: LAST_HEADER + SECOND_HEADER])
    assert [row.problem for row in rows(tmp_path)] == [None] * 3


def test_a_tar_that_cannot_be_opened_has_a_row(tmp_path):
    (tmp_path / "a.tar").symlink_to("nowhere")
    (row,) = rows(tmp_path)
    assert (row.uri, row.problem) == (
        "a.tar",
        "the tar cannot be read to its end: No such file or directory",
    )


def test_a_size_below_zero_does_not_lead_round_in_circles(tmp_path):
    data = bytearray(tar(tmp_path / "a.tar", GOOD))
    header = data[LAST_HEADER : LAST_HEADER + 512]
    header[124:136] = (-LAST_HEADER - 512).to_bytes(12, "big", signed=True)  # back to the first
    header[148:156] = b" " * 8
    header[148:156] = b"%06o\0 " % sum(header)
    data[LAST_HEADER : LAST_HEADER + 512] = header
    (tmp_path / "a.tar").write_bytes(data)
    bad, first = rows(tmp_path)
    assert bad.problem
    assert first.uri == "a.tar!a.png"


@pytest.mark.parametrize(
    ("facts", "says"),
    [
        (b"[1]", "v.2/a.json: expected a JSON object, got a list"),
        (b"null", "v.2/a.json: expected a JSON object, got a NoneType"),
        (b"{oops", "v.2/a.json: expected a JSON object: Expecting property name"),
        (b"\xff\xfe\xff", "v.2/a.json: expected a JSON object: "),
        (b"[" * 100_000, "v.2/a.json: expected a JSON object: "),
        (b"", "v.2/a.json: expected a JSON object: "),
    ],
)
def test_facts_that_cannot_be_read_are_a_problem_of_their_photographs_alone(tmp_path, facts, says):
    members = {"v.2/a.json": facts, "v.2/a.png": b"1", "v.2/a.jpg": b"2", "v.2/b.png": b"3"}
    tar(tmp_path / "s.tar", members)
    jpg, png, other = rows(tmp_path, member=("*",))
    assert jpg.problem.startswith(says)
    assert png.problem == jpg.problem
    assert (png.uri, png.size, png.degradation) == ("s.tar!v.2/a.png", 1, None)
    assert other == SourceRow(uri="s.tar!v.2/b.png", offset=other.offset, size=1)


def test_facts_without_a_photograph_trouble_nobody(tmp_path):
    tar(tmp_path / "s.tar", {"index.json": b"[1]", "a.png": b"1"})
    assert [row.problem for row in rows(tmp_path)] == [None]


def test_captions_in_tars_are_read_as_those_in_folders(tmp_path):
    members = {
        "a.txt": b"\xff not utf-8",
        "a.png": b"1",
        "b.txt": "\ufeff a canal \n".encode(),
        "b.png": b"2",
        "c.txt": b"\xff",
        "c.json": '\ufeff{"caption": "a mill"}'.encode(),
        "c.png": b"3",
    }
    tar(tmp_path / "s.tar", members)
    assert [row.caption for row in rows(tmp_path)] == [None, "a canal", "a mill"]
    assert not any(row.problem for row in rows(tmp_path))


def test_half_a_character_in_facts_is_spelled_out(tmp_path):
    tar(tmp_path / "s.tar", {"a.json": b'{"caption": "x\\ud800", "dataset": 7}', "a.png": b"1"})
    (row,) = rows(tmp_path)
    assert (row.caption, row.dataset) == ("x\\ud800", "7")


def odd_member(name: str, kind: bytes, target: str = "../../etc/passwd") -> tarfile.TarInfo:
    member = tarfile.TarInfo(name)
    member.type, member.linkname, member.size = kind, target, 0
    return member


def test_members_that_are_no_plain_files_are_refused(tmp_path):
    with tarfile.open(tmp_path / "s.tar", "w") as archive:
        for name in ("../up.png", "/etc/absolute.png", "a/../../b.png", "new\nline.png"):
            add(archive, name, b"inside")
        add(archive, "..hidden.png", b"inside")
        archive.addfile(odd_member("soft.png", tarfile.SYMTYPE))
        archive.addfile(odd_member("hard.png", tarfile.LNKTYPE))
        archive.addfile(odd_member("disk.png", tarfile.BLKTYPE))
        archive.addfile(odd_member("folder.png", tarfile.DIRTYPE))
        archive.addfile(odd_member("told.txt", tarfile.LNKTYPE, "..hidden.png"))
        add(archive, "told.png", b"inside")
        archive.addfile(odd_member("facts.json", tarfile.SYMTYPE))
        add(archive, "facts.png", b"inside")

    found = {row.uri.removeprefix("s.tar!"): row for row in rows(tmp_path)}

    out = "its name leads outside the tar; pack it again under a plain name"
    assert {name: row.problem for name, row in found.items()} == {
        "../up.png": out,
        "/etc/absolute.png": out,
        "a/../../b.png": out,
        "new\\nline.png": "its name holds control characters; rename it",
        "soft.png": "it is a symbolic link; pack the photograph itself",
        "hard.png": "it is a hard link; pack the photograph itself",
        "disk.png": "it is no regular file; pack the photograph itself",
        "told.png": None,
        "facts.png": "facts.json: expected a JSON object: it is a symbolic link",
    }
    assert found["told.png"].caption is None
    # Nothing was unpacked anywhere.
    assert [path.name for path in tmp_path.rglob("*")] == ["s.tar"]


def test_members_that_differ_in_the_case_of_their_ending_are_two(tmp_path):
    tar(tmp_path / "s.tar", {"a.png": b"1", "a.PNG": b"2"})
    with pytest.raises(SourceError, match="several images have the key 'a': png, png"):
        rows(tmp_path)
    assert [row.uri for row in rows(tmp_path, member=("png",))] == ["s.tar!a.PNG", "s.tar!a.png"]


@pytest.mark.parametrize(
    "headers",
    [
        {"GNU.sparse.realsize": "999999999999"},
        {"GNU.sparse.size": "999999999999", "GNU.sparse.map": "0,1"},
        {"GNU.sparse.major": "1", "GNU.sparse.minor": "0", "GNU.sparse.realsize": "9" * 12},
        {"size": "999999999999"},
    ],
)
def test_a_member_cannot_claim_more_bytes_than_the_tar_has(tmp_path, headers):
    with tarfile.open(tmp_path / "s.tar", "w", format=tarfile.PAX_FORMAT) as archive:
        for suffix in ("json", "png"):
            member = tarfile.TarInfo(f"a.{suffix}")
            member.size, member.pax_headers = 7, headers
            archive.addfile(member, io.BytesIO(b"0\n.....!"))
    found = rows(tmp_path)
    assert found
    assert all(row.problem for row in found)


def test_headers_that_would_fill_the_memory_are_not_read(tmp_path):
    header = tarfile.TarInfo("long")
    header.type, header.size = tarfile.GNUTYPE_LONGNAME, 1 << 40
    path = touch(tmp_path / "s.tar", header.tobuf(tarfile.GNU_FORMAT))
    os.truncate(path, 1 << 41)
    (row,) = rows(tmp_path)
    assert row.problem == "the tar cannot be read to its end: a header of 1099511627776 bytes"


def test_every_column_is_a_field_of_a_row():
    assert set(COLUMNS) <= set(SourceRow.__dataclass_fields__)


@pytest.mark.parametrize("name", ["a.txt", "a.csv", "a.tsv", "a.tar", "dataset.json", "p.txt"])
def test_a_disk_that_fails_is_no_fault_of_a_source(tmp_path, name):
    touch(tmp_path / "p.png")
    (tmp_path / name).symlink_to("/proc/self/mem")  # reading its beginning gives EIO
    source = tmp_path if name in ("dataset.json", "p.txt") else tmp_path / name
    with pytest.raises(StorageError, match=rf"{name}: Input/output error; see whether its disk"):
        list(read_source(source, outside=True))


@pytest.mark.parametrize("number", [errno.EMFILE, errno.ENOMEM, errno.ESTALE])
def test_a_caption_is_not_dropped_where_the_machine_cannot_look_for_it(
    tmp_path, monkeypatch, number
):
    touch(tmp_path / "p.png")
    touch(tmp_path / "p.txt", b"a harbour")
    look = Path.stat

    def fail(path: Path, **how: Any) -> os.stat_result:
        if path.name == "p.txt" and how.get("follow_symlinks", True):
            raise OSError(number, os.strerror(number), str(path))
        return look(path, **how)

    monkeypatch.setattr(Path, "stat", fail)
    with pytest.raises(StorageError, match=rf"p\.txt: {os.strerror(number)}; "):
        rows(tmp_path)


def test_a_table_that_fills_the_memory_says_nothing_of_the_table(tmp_path, monkeypatch):
    pq.write_table(pa.table({"uri": ["p.png"]}), tmp_path / "t.parquet")

    def fail(*_: object, **__: object) -> None:
        raise pa.ArrowMemoryError("malloc of size 64 failed")

    monkeypatch.setattr(pq.ParquetFile, "iter_batches", fail)
    with pytest.raises(StorageError, match=r"t\.parquet: Cannot allocate memory; free some"):
        list(read_source(tmp_path / "t.parquet"))
