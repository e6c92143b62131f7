from __future__ import annotations

import io
import os
import random
import re
import subprocess
import sys
import tarfile
import time
from collections.abc import Iterator

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from blake3 import blake3
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image as Pillow

from gends.models.parametric.catalog import OPERATIONS
from gends.pipeline.format.damage import DamageError
from gends.pipeline.making.load import load_views
from gends.pipeline.names import source_id
from gends.pipeline.photographs.catalog import ROWS_PER_GROUP, Catalog, write_catalog
from gends.pipeline.photographs.encoded import END, read_bytes
from gends.pipeline.planning.config import BuildConfig
from gends.pipeline.sources.source import SourceError, read_source
from gends.pipeline.types import CleanImage, Failure, SourceRow, View

LONGEST_KEY_TAIL = f"-{max(OPERATIONS, key=len)}-999999.json"


def catalog(folder, rows, **options) -> list[CleanImage]:
    path = folder / "catalog.parquet"
    write_catalog(rows, path, base=folder, default_dataset="photos", **options)
    opened = Catalog(path)
    found = list(opened.rows(0, len(opened) + 5))
    assert len(found) == len(opened)
    return found


def pack(path, members: dict[str, bytes], mode="w") -> None:
    with tarfile.open(path, mode) as archive:
        for name, data in members.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))


@pytest.fixture
def picture():
    """(name) -> a small encoded photograph, another for each name."""

    def make(name: str) -> bytes:
        buffer = io.BytesIO()
        Pillow.new("RGB", (16, 16), tuple(blake3(name.encode()).digest(3))).save(buffer, "PNG")
        return buffer.getvalue()

    return make


@given(st.text(max_size=300))
def test_names_are_fit_for_keys_and_tar_members(uri):
    name = source_id(uri)
    assert re.fullmatch(r"[A-Za-z0-9_]{1,64}", name)
    assert len(name + LONGEST_KEY_TAIL) <= 100


def test_names_keep_what_tells_photographs_apart():
    assert source_id("städte/Zürich HB.v2.jpg").startswith("stadte_Zurich_HB_v2_")
    assert source_id("x" * 200 + "/last.png").startswith("x" * 10)
    assert "_last_" in source_id("x" * 200 + "/last.png")
    assert source_id("图片.png").startswith("image_")
    alike = [
        "a b.png",
        "a_b.png",
        "a-b.png",
        "a b.jpg",
        "a/b.png",
        "图.png",
        "片.png",
        "",
        ".",
        "/",
    ]
    assert len({source_id(uri) for uri in alike}) == len(alike)


def test_many_names_without_a_latin_letter_do_not_collide():
    # All share one slug; hashes of 32 bits would collide once in these.
    letters = [chr(code) for code in range(0x4E00, 0x4E00 + 1000)]
    names = {source_id(f"{a}{b}.png") for a in letters[:100] for b in letters}
    assert len(names) == 100_000


ids = st.from_regex(r"\A[A-Za-z0-9_]{1,12}\Z")


@settings(max_examples=20)
@given(st.sets(ids, min_size=2), st.randoms())
def test_order_of_the_catalog_is_order_of_keys_whatever_comes_in(tmp_path_factory, names, rng):
    folder = tmp_path_factory.mktemp("c")
    shuffled = sorted(names)
    rng.shuffle(shuffled)
    found = [image.source_id for image in catalog(folder, _named(shuffled), dedupe=False)]
    assert found == sorted(names)
    keys = [f"{n}-{d}-{r}" for n in found for d in ("haze", "snow") for r in (0, 1)]
    assert keys == sorted(keys)


def _named(names) -> Iterator[SourceRow]:
    return (SourceRow(uri=f"{name}.png", source_id=name) for name in names)


def test_rows_get_the_defaults_that_they_do_not_bring(tmp_path):
    rows = [
        SourceRow(uri="a.png", source_id="a"),
        SourceRow(
            uri="b.png",
            source_id="b",
            dataset="RESIDE",
            degradation="haze",
            caption="ü",
            split="test",
        ),
    ]
    a, b = catalog(tmp_path, rows, default_degradation="rain")
    assert a == CleanImage(source_id="a", uri="a.png", dataset="photos", degradation="rain")
    assert (b.dataset, b.degradation, b.caption, b.split) == ("RESIDE", "haze", "ü", "test")


def test_the_digest_follows_the_rows_and_not_their_order(tmp_path):
    rows = [SourceRow(uri=f"{i}.png") for i in range(50)]
    digests = []
    for given_rows in (
        rows,
        rows[::-1],
        rows[1:],
        [SourceRow(uri="0.png", caption="x"), *rows[1:]],
    ):
        catalog(tmp_path, given_rows)
        digests.append(Catalog(tmp_path / "catalog.parquet").digest)
    assert digests[0] == digests[1]
    assert len(set(digests)) == 3


def test_the_digest_follows_the_sizes_of_files_and_not_their_place(tmp_path):
    def digest(folder):
        catalog(folder, read_source(folder))
        return Catalog(folder / "catalog.parquet").digest

    first = tmp_path / "first"
    first.mkdir()
    (first / "a.png").write_bytes(b"a photograph")
    (first / "gone.png").symlink_to("nowhere")
    before = digest(first)
    moved = first.rename(tmp_path / "moved")
    assert digest(moved) == before
    (moved / "a.png").write_bytes(b"another photograph")
    assert digest(moved) != before


def test_duplicates_point_at_the_first_of_equal_bytes(tmp_path):
    for name, data in {"c": b"same", "a": b"same", "b": b"same", "d": b"diff", "e": b""}.items():
        (tmp_path / f"{name}.png").write_bytes(data)
    (tmp_path / "f.png").write_bytes(b"")
    (tmp_path / "g.png").symlink_to(tmp_path / "nowhere")
    rows = list(_named("gfedcba"))
    duplicates = {i.source_id: i.duplicate_of for i in catalog(tmp_path, rows)}
    assert {name: of for name, of in duplicates.items() if of} == {"b": "a.png", "c": "a.png"}
    assert not any(image.duplicate_of for image in catalog(tmp_path, rows, dedupe=False))


def test_duplicates_are_found_inside_tars_and_beside_them(tmp_path):
    (tmp_path / "wow!.tar").mkdir()
    (tmp_path / "wow!.tar" / "z.png").write_bytes(b"a photograph")
    pack(
        tmp_path / "wow!.tar" / "1.tar",
        dict.fromkeys(("x!.png", "y.tar!.png"), b"a photograph"),
    )
    images = catalog(tmp_path, read_source(tmp_path))
    assert len(images) == 3
    assert sum(image.duplicate_of == images[0].uri for image in images) == 2
    archived = [image for image in images if image.offset is not None]
    assert len(archived) == 2


def test_bytes_of_a_tar_member_are_read_by_its_offset(tmp_path):
    pack(tmp_path / "1!.tar", {"a.png": b"first", "b.png": b"second"})
    images = catalog(tmp_path, read_source(tmp_path))
    by_name = {image.uri: read_bytes(tmp_path, image) for image in images}
    assert by_name == {"1!.tar!a.png": b"first", "1!.tar!b.png": b"second"}


def test_photographs_of_equal_size_are_compared_in_linear_time(tmp_path):
    # Uncompressed formats give whole collections of one size.
    seconds = []
    for count in (1_500, 12_000):
        (tmp_path / "a.tar").write_bytes(b"".join(b"%08d" % (i // 2) for i in range(count)))
        rows = [
            SourceRow(uri=f"a.tar!{i}.ppm", source_id=f"s{i:06d}", offset=8 * i, size=8)
            for i in range(count)
        ]
        start = time.process_time()
        images = catalog(tmp_path, rows)
        seconds.append(time.process_time() - start)
        assert [i.duplicate_of for i in images[:4]] == [None, "a.tar!0.ppm", None, "a.tar!2.ppm"]
        assert sum(image.duplicate_of is not None for image in images) == count // 2
    assert seconds[1] < 20 * seconds[0]  # 8 when linear, 64 when every pair is looked at


def test_a_path_listed_again_is_a_duplicate(tmp_path, picture):
    (tmp_path / "a.png").write_bytes(picture("a"))
    (tmp_path / "list.txt").write_text("a.png\na.png\nb\\.png\na.png\n")
    rows = list(read_source(tmp_path / "list.txt"))
    images = catalog(tmp_path, rows)
    first = next(image for image in images if image.source_id == source_id("a.png"))
    assert first.duplicate_of is None
    again = [i for i in images if i.uri == "a.png" and i != first]
    assert [image.duplicate_of for image in again] == ["a.png", "a.png"]
    assert len({image.source_id for image in images}) == 4
    assert not any(i.duplicate_of for i in catalog(tmp_path, rows, dedupe=False))
    view = View(clean=again[0], crop=None, requests=())
    (failure,) = load_views([view], tmp_path, BuildConfig())
    assert failure == Failure(code="duplicate", detail="a.png is listed again")


def test_a_bad_path_listed_again_fails_again(tmp_path, picture):
    (tmp_path / "a.png").write_bytes(picture("a"))
    (tmp_path / "list.txt").write_text("../x.png\n../x.png\nx\x1b.png\nx\x1b.png\na.png\n")
    images = catalog(tmp_path, read_source(tmp_path / "list.txt"))
    assert len(images) == 5
    assert sum(image.problem is not None for image in images) == 4


def test_limit_keeps_the_first_by_name(tmp_path):
    assert [i.source_id for i in catalog(tmp_path, _named("dbca"), limit=2)] == ["a", "b"]


def test_without_a_photograph_there_is_no_catalog(tmp_path):
    with pytest.raises(SourceError, match=r"no photographs found; .*\.png"):
        catalog(tmp_path, [])


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("a-b", "its source_id 'a-b' must be 1 to 64 letters"),
        ("a\n", "must be 1 to 64 letters"),
        ("a" * 65, "must be 1 to 64 letters"),
        ("z", "its source_id 'z' is that of z.png; give it one of its own"),
    ],
)
@pytest.mark.parametrize("dedupe", [False, True])
def test_a_source_id_that_cannot_be_used_fails_alone(tmp_path, name, says, dedupe):
    rows = [SourceRow(uri="z.png", source_id="z"), SourceRow(uri="a.png", source_id=name)]
    bad, good = catalog(tmp_path, rows, dedupe=dedupe)
    assert (good.source_id, good.problem) == ("z", None)
    assert says in bad.problem
    assert (bad.uri, bad.duplicate_of) == ("a.png", None)


def test_a_path_listed_again_under_its_own_id_is_a_duplicate(tmp_path):
    one, other = catalog(tmp_path, [SourceRow(uri="a.png", source_id="a")] * 2)
    assert {one.duplicate_of, other.duplicate_of} == {None, "a.png"}


# What cannot be used is catalogued with the reason, and fails alone


def outcomes(folder, rows) -> dict[str, str]:
    """What becomes of each photograph: "" or code and detail of its failure."""
    views = [View(clean=clean, crop=None, requests=()) for clean in catalog(folder, rows)]
    loaded = load_views(views, folder, BuildConfig(resolution=16))
    return {
        view.clean.uri: f"{found.code}: {found.detail}" if isinstance(found, Failure) else ""
        for view, found in zip(views, loaded, strict=True)
    }


def test_bad_input_in_a_folder_gets_a_reason_and_the_rest_is_loaded(tmp_path, picture):
    for name in ("fine.png", "new\nline.png"):
        (tmp_path / name).write_bytes(picture(name))
    members = {
        "../../out\r\nside.png": picture("outside"),
        "fog.json": b'{"degradation": "fog"}',
        "fog.png": picture("fog"),
        "list.json": b"[]",
        "list.png": picture("list"),
        "whole.png": picture("whole"),
        "last.png": picture("last"),
    }
    pack(tmp_path / "cut.tar", members)
    data = (tmp_path / "cut.tar").read_bytes()
    (tmp_path / "cut.tar").write_bytes(data[: data.index(b"last.png") + 520])
    (tmp_path / "words.tar").write_text("no tar")

    found = outcomes(tmp_path, read_source(tmp_path))

    good = {"fine.png", "cut.tar!whole.png"}
    assert {uri for uri, reason in found.items() if not reason} == good
    assert {uri: reason for uri, reason in found.items() if reason} == {
        "new\\nline.png": "bad_source: new\\nline.png: its name holds control characters; "
        "rename it",
        "cut.tar!../../out\\r\\nside.png": "bad_source: cut.tar!../../out\\r\\nside.png: its name "
        "leads outside the tar; pack it again under a plain name",
        "cut.tar": "bad_source: cut.tar: the tar cannot be read to its end: unexpected end of data",
        "words.tar": "bad_source: words.tar: the tar cannot be read to its end: truncated header",
        "cut.tar!list.png": "bad_source: cut.tar!list.png: list.json: "
        "expected a JSON object, got a list",
        "cut.tar!fog.png": "bad_source: cut.tar!fog.png: unknown degradation 'fog'; known: "
        + ", ".join(OPERATIONS),
    }


def test_one_unknown_degradation_in_a_table_leaves_the_other_rows_alone(tmp_path, picture):
    (tmp_path / "a.png").write_bytes(picture("a"))
    (tmp_path / "b c.png").write_bytes(picture("b"))
    (tmp_path / "t.csv").write_text('uri,degradation\na.png,Rain\n"b c.png",rain\n')
    found = outcomes(tmp_path, read_source(tmp_path / "t.csv"))
    assert found["b c.png"] == ""
    assert found["a.png"].startswith(
        "bad_source: a.png: unknown degradation 'Rain'; did you mean 'rain'"
    )
    (image, _) = catalog(tmp_path, read_source(tmp_path / "t.csv"), default_degradation="haze")
    assert image.degradation is None


@pytest.mark.parametrize("column", ["dataset", "split"])
def test_names_of_datasets_and_splits_have_no_control_characters(tmp_path, picture, column):
    (tmp_path / "a.png").write_bytes(picture("a"))
    rows = [SourceRow(uri="a.png"), SourceRow(uri="b.png", **{column: "\x1b[2J"})]
    found = outcomes(tmp_path, rows)
    says = f"the name of its {column} holds control characters: \\x1b[2J"
    assert found == {"a.png": "", "b.png": f"bad_source: b.png: {says}"}


def test_a_list_may_point_anywhere_where_that_is_allowed(tmp_path, picture):
    (tmp_path / "lists").mkdir()
    for name in ("a.png", "b.png", "lists/c.png"):
        (tmp_path / name).write_bytes(picture(name))
    source = tmp_path / "lists" / "l.txt"
    source.write_text(f"../a.png\n{tmp_path}/b.png\nc.png\n")

    allowed = outcomes(tmp_path / "lists", read_source(source, outside=True))
    refused = outcomes(tmp_path / "lists", read_source(source))

    assert allowed == {"../a.png": "", f"{tmp_path}/b.png": "", "c.png": ""}
    out = "its path leads outside the source's folder; copy it there, or allow it: --outside"
    assert refused == {
        uri: "" if uri == "c.png" else f"bad_source: {uri}: {out}" for uri in allowed
    }


def test_nothing_is_written_when_no_photograph_can_be_used(tmp_path):
    rows = [SourceRow(uri=f"../{name}.png", source_id=name, problem="why") for name in "cab"]
    says = r"none of the 3 photographs can be used; the first is \.\./a\.png: why"
    with pytest.raises(SourceError, match=says):
        catalog(tmp_path, rows)
    assert not (tmp_path / "catalog.parquet").exists()
    usable = SourceRow(uri="z.png", source_id="z")
    assert len(catalog(tmp_path, [*rows, usable])) == 4
    with pytest.raises(SourceError, match="none of the 2 photographs"):
        catalog(tmp_path, [*rows, usable], limit=2)


def test_a_photograph_that_no_memory_holds_is_not_read(tmp_path, picture):
    (tmp_path / "a.png").write_bytes(picture("a"))
    (tmp_path / "huge.png").write_bytes(b"")
    os.truncate(tmp_path / "huge.png", 1 << 42)
    found = outcomes(tmp_path, read_source(tmp_path))
    assert found["a.png"] == ""
    assert (
        found["huge.png"]
        == "unreadable: huge.png: 4398046511104 bytes are over the most of 2147483648"
    )


def test_what_cannot_be_used_is_nobodys_duplicate(tmp_path, picture):
    pack(tmp_path / "s.tar", {"a.json": b"[]", "a.png": picture("a"), "b.png": picture("a")})
    for name in ("x.tar", "y.tar"):
        (tmp_path / name).write_text("no tar")
    images = catalog(tmp_path, read_source(tmp_path))
    assert len(images) == 4
    assert sum(image.problem is not None for image in images) == 3
    assert not any(image.duplicate_of for image in images)


def test_of_a_member_that_a_tar_holds_twice_the_later_counts(tmp_path, picture):
    pack(tmp_path / "s.tar", {"a.png": b"old", "b.png": picture("b")})
    pack(tmp_path / "s.tar", {"a.png": picture("a")}, mode="a")
    assert outcomes(tmp_path, read_source(tmp_path)) == {"s.tar!a.png": "", "s.tar!b.png": ""}


def test_an_empty_folder_has_no_photographs(tmp_path):
    (tmp_path / "empty" / "deeper").mkdir(parents=True)
    with pytest.raises(SourceError, match="no photographs found"):
        catalog(tmp_path, read_source(tmp_path / "empty"))


def test_a_file_that_is_no_catalog_is_refused(finished, tmp_path):
    manifest = next((finished.store.root / "manifest").iterdir())
    with pytest.raises(DamageError, match="not a catalog"):
        Catalog(manifest)


@pytest.mark.parametrize("spoil", ["types", "groups", "bytes", "half"])
def test_a_catalog_that_was_tampered_with_is_refused(tmp_path, spoil):
    catalog(tmp_path, _named("abc"))
    path = tmp_path / "catalog.parquet"
    table, data = pq.read_table(path), path.read_bytes()
    if spoil == "types":
        number = pa.field("uri", pa.int32())
        pq.write_table(table.set_column(1, number, pa.array([1, 2, 3], pa.int32())), path)
    elif spoil == "groups":
        pq.write_table(table, path, row_group_size=1)
    elif spoil == "half":
        path.write_bytes(data[: len(data) // 2])
    else:  # within the first page: its checksum notices
        path.write_bytes(data[:40] + bytes([data[40] ^ 4]) + data[41:])
    says = r"catalog\.parquet: (not a catalog|its rows are not|damaged)"
    with pytest.raises(DamageError, match=says):
        list(Catalog(path).rows(0, 3))
    with pytest.raises(DamageError, match=says):
        Catalog(path).check()


def test_slices_cross_groups_of_rows(tmp_path):
    count = ROWS_PER_GROUP + 10
    images = catalog(tmp_path, _named(f"{i:06d}" for i in range(count)))
    assert [int(image.source_id) for image in images] == list(range(count))
    opened = Catalog(tmp_path / "catalog.parquet")
    starts = random.Random(0).sample(range(count), 20)
    for start in starts:
        found = [int(image.source_id) for image in opened.rows(start, start + 3)]
        assert found == list(range(start, min(start + 3, count)))


MEASURE = """
import resource, sys
from pathlib import Path
from gends.pipeline.photographs.catalog import Catalog, write_catalog
from gends.pipeline.sources.source import SourceRow

folder = Path(sys.argv[1])
for count in (5_000, 100_000):
    rows = (SourceRow(uri=f"tree/{i % 97}/{i}.png") for i in range(count))
    write_catalog(rows, folder / "c", base=folder, default_dataset="d")
    catalog = Catalog(folder / "c")
    assert sum(1 for _ in catalog.rows(0, count)) == count
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024)
"""


@pytest.mark.slow
def test_memory_does_not_grow_with_the_number_of_photographs(tmp_path):
    command = [sys.executable, "-c", MEASURE, str(tmp_path)]
    printed = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    few, many = map(int, printed.split())
    assert many - few < 50  # MiB


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("size", [1, END, END + 1, 2 * END - 1, 2 * END, 2 * END + 1, 5 * END])
def test_what_replaces_a_photograph_is_told_by_its_ends(tmp_path, size, packed):
    def listed(data: bytes) -> CleanImage:
        if packed:
            pack(tmp_path / "a.tar", {"0.png": b"before", "a.png": data, "b.png": b"after"})
            found = catalog(tmp_path, read_source(tmp_path / "a.tar"))
            return next(image for image in found if image.uri.endswith("a.png"))
        (tmp_path / "a.png").write_bytes(data)
        return catalog(tmp_path, [SourceRow(uri="a.png")])[0]

    whole = random.Random(size).randbytes(size)
    same = listed(whole)
    assert same == listed(whole)
    for place in sorted({0, min(size, END) - 1, max(0, size - END), size - 1}):
        changed = bytearray(whole)
        changed[place] ^= 1
        assert listed(bytes(changed)).ends_blake3 != same.ends_blake3
    ends = whole if size <= 2 * END else whole[:END] + whole[-END:]
    assert same.ends_blake3 == blake3(ends).hexdigest()[:16]


def test_what_cannot_be_read_has_no_checksum(tmp_path):
    os.mkfifo(tmp_path / "pipe.png")
    rows = [SourceRow(uri=uri) for uri in ("none.png", "pipe.png")]
    (tmp_path / "out.png").write_bytes(b"x")
    rows.append(SourceRow(uri="out.png", problem="leads outside"))
    rows.append(SourceRow(uri="empty.png"))
    (tmp_path / "empty.png").touch()
    found = {image.uri: image.ends_blake3 for image in catalog(tmp_path, rows)}
    assert found == {
        "none.png": None,
        "pipe.png": None,
        "out.png": None,
        "empty.png": blake3(b"").hexdigest()[:16],
    }
