"""Tars: as a source every one gives rows, as a shard `verify` names what is wrong with it.

Readers of pairs raise `OSError` or `ValueError`. A tar that is a source itself, not one in a
folder, may be refused with `SourceError`.
"""

from __future__ import annotations

import io
import tarfile
from random import Random

import pyarrow.parquet as pq
import pytest
from blake3 import blake3

from gends import PairDataset
from gends.pipeline.format.manifest import facts_of, manifest_name, shard_name
from gends.pipeline.keeping.dataset import open_dataset
from gends.pipeline.keeping.verify import verify
from gends.pipeline.names import printable
from gends.pipeline.photographs.catalog import Catalog, write_catalog
from gends.pipeline.photographs.encoded import read_bytes
from gends.pipeline.reading.reader import read_manifest
from gends.pipeline.sources.source import SourceError, read_source

NAMES = (
    "a.png",
    "a.json",
    "a.txt",
    "b.jpg",
    "../up.png",
    "/etc/x.png",
    "n\n.png",
    "x" * 120 + ".png",
)
NAMES_TOO = ("caf\udce9.png", "d.png/", ".png", "..", "s/./t.png", "\x1b.webp", "图.png")
TYPES = b"0\x001234567xgLKSVNMDA"
DATA = (
    b"",
    b"1",
    b"{}",
    b'{"degradation": "fog"}',
    b'{"caption": "\\ud800"}',
    b"[" * 600,
    b"x" * 700,
)
SIZES = (-1, 0, 1, 511, 513, 2**31, 2**62, 2**80, -512, -1536)
PAX = {
    "path": ("../x.png", "y\nz.png", ""),
    "size": ("-512", "99999999999", "x", "1.5"),
    "GNU.sparse.major": ("1",),
    "GNU.sparse.minor": ("0",),
    "GNU.sparse.name": ("s.png",),
    "GNU.sparse.realsize": ("999999999999", "-1"),
    "GNU.sparse.map": ("0,1,2", "0,-1", "a"),
    "hdrcharset": ("BINARY",),
    "mtime": ("nan", "1e400"),
}
FIELDS = (
    (0, 100),
    (100, 8),
    (124, 12),
    (136, 12),
    (156, 1),
    (157, 100),
    (257, 8),
    (345, 155),
    (482, 13),
)
WORDS = (
    b"\0" * 512,
    b"ustar  \0",
    b"ustar\x0000",
    b"\x80" + b"\xff" * 11,
    b"77777777777\0",
    b"30 a=b\n",
)


def member(rng: Random) -> tarfile.TarInfo:
    info = tarfile.TarInfo(rng.choice(NAMES + NAMES_TOO))
    if rng.random() < 0.3:
        kind = rng.choice(TYPES)
        info.type, info.linkname = bytes([kind]), rng.choice(("../../etc/passwd", "a.png", ""))
    return info


def archive(rng: Random) -> bytes:
    """A tar that somebody means harm with, its headers' checksums right."""
    buffer = io.BytesIO()
    form = rng.choice((tarfile.PAX_FORMAT, tarfile.GNU_FORMAT, tarfile.USTAR_FORMAT))
    for _ in range(rng.randint(1, 4)):
        info, data = member(rng), rng.choice(DATA)
        info.size = len(data)
        if rng.random() < 0.2:
            info.pax_headers = {
                name: rng.choice(PAX[name]) for name in rng.sample(list(PAX), rng.randint(1, 4))
            }
        try:
            header = info.tobuf(form, "utf-8", "surrogateescape")
        except (ValueError, UnicodeError):
            header = tarfile.TarInfo("plain.png").tobuf()
        if rng.random() < 0.3:
            header = header[:-512] + changed(rng, header[-512:])
        buffer.write(header + data + bytes(-len(data) % 512))
    buffer.write(bytes(1024 * rng.randint(0, 2)))
    return buffer.getvalue()


def changed(rng: Random, header: bytes) -> bytes:
    """The header with one field changed, and the checksum that goes with it."""
    block = bytearray(header)
    start, length = rng.choice(FIELDS)
    value = rng.randbytes(length)
    if start in (124, 136) and rng.random() < 0.7:
        value = rng.choice(SIZES).to_bytes(12, "big", signed=True)
        value = bytes([value[0] | 0x80]) + value[1:]
    block[start : start + length] = value
    block[148:156] = b" " * 8
    block[148:156] = b"%06o\0 " % sum(block)
    return bytes(block)


def blocks_changed(rng: Random, data: bytes) -> bytes:
    """A field of a header in the middle of a sound tar, changed so that its checksum is right."""
    heads = [at for at in range(0, len(data), 512) if data[at + 257 : at + 262] == b"ustar"]
    at = rng.choice(heads)
    return data[:at] + changed(rng, data[at : at + 512]) + data[at + 512 :]


@pytest.fixture(scope="module")
def dataset(build_dataset, photos, memory_folder):
    settings = {"limit": 1, "degradations": ["haze", "rain"], "resolution": 16, "min_side": 8}
    built = build_dataset(photos, memory_folder / "shards", **settings)
    assert read_manifest(built.store.root).num_rows > 0
    return open_dataset(built.store.root)


def test_tars(fuzz, damage, memory_folder, dataset):
    shard, manifest = (dataset.store.path(name(0)) for name in (shard_name, manifest_name))
    whole, table = shard.read_bytes(), pq.read_table(manifest)
    folder, catalog = memory_folder / "tars", memory_folder / "c.parquet"
    folder.mkdir()

    def source(data: bytes, alone: bool, catalogued: bool) -> str:
        path = folder / "s.tar"
        path.write_bytes(data)
        rows = list(read_source(path if alone else folder))
        assert all(printable(row.uri) == row.uri for row in rows)
        assert all(row.problem for row in rows if "/../" in f"/{row.uri.partition('!')[2]}")
        if catalogued:
            count = write_catalog(rows, catalog, base=folder, default_dataset="d")
            images = list(Catalog(catalog).rows(0, count))
            assert {image.uri for image in images} == {row.uri for row in rows}
            usable = [image for image in images if image.problem is None]
            assert all(len(read_bytes(folder, image)) == image.size for image in usable)
        return "source: with problems" if any(row.problem for row in rows) else "source: fine"

    def sealed(data: bytes, deep: bool, paired: bool) -> str:
        shard.write_bytes(data)
        facts = facts_of(table.schema)
        if deep:  # as if it had been so from the start
            facts |= {"shard_size": str(len(data)), "shard_blake3": blake3(data).hexdigest()}
        pq.write_table(table.replace_schema_metadata(facts), manifest)
        ((_, problems),) = verify(dataset, deep=deep)
        assert all(printable(problem.what) == problem.what for problem in problems), problems
        assert problems or deep or data == whole
        if not paired:
            return "shard: with problems" if problems else "shard: fine"
        try:
            assert all(item["gt"].shape == (16, 16, 3) for item in PairDataset(dataset.store.root))
        except (OSError, ValueError) as error:
            return f"shard: {type(error).__name__}"
        return "shard: pairs are read"

    def check(rng: Random) -> str:
        kind, rare = rng.random(), rng.random() < 0.25
        if kind < 0.15:
            return sealed(blocks_changed(rng, whole), deep=True, paired=rare)
        if kind < 0.3:
            return sealed(damage(rng, whole, WORDS), deep=rng.random() < 0.7, paired=rare)
        data = archive(rng) if kind < 0.98 else rng.randbytes(rng.randint(0, 2000))
        data = damage(rng, data, WORDS) if rng.random() < 0.3 else data
        try:
            return source(data, alone=rng.random() < 0.2, catalogued=rare)
        except SourceError as error:
            said = str(error)
        assert printable(said) == said
        return f"source: SourceError {said.partition(': ')[2][:18]}"

    fuzz(check)
