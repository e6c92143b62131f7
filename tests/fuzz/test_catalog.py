"""Lists and tables of photographs, catalogs: rows that are safe to show, or documented errors."""

from __future__ import annotations

import datetime
import io
from random import Random

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from gends.pipeline.format.damage import DamageError
from gends.pipeline.names import printable
from gends.pipeline.photographs.catalog import Catalog, write_catalog
from gends.pipeline.sources.columns import COLUMNS
from gends.pipeline.sources.source import SourceError, read_source
from gends.pipeline.types import SourceRow

PATHS = ("a.png", "b.jpg", "deep/c.png", "../up.png", "/etc/passwd", "a\nb.png", "x\0.png", "a\\n")
TABLE = "uri,source_id,dataset,degradation,caption,split\r\n"
TEXT = [
    (".txt", "".join(f"{path}\n" for path in PATHS[:5]).encode()),
    (".csv", (TABLE + 'a.png,a_1,D,haze,"a ""boat""",test\r\nb.png,,,,,\r\n').encode()),
    (".tsv", (TABLE + "a.png,a_1,D,rain,a boat,test\r\n").replace(",", "\t").encode()),
]
WORDS = (
    *(path.encode() for path in PATHS),
    *(b"\n", b"\r", b",", b"\t", b'"', b"\x00", b"\x1b[2J", b"\xff", b"\xef\xbb\xbf", b"uri"),
    *(b"\xe2\x80\xae", b"\xed\xa0\x80", b"fog", b"source_id", b"~/", b"\\..\\", b"." * 5000 + b"/"),
)
CELLS = [
    (pa.string(), [None, "", *PATHS, "\x1b[2J", "\u202e", "x" * 70_000, "haze", "fog"]),
    (pa.int64(), [None, -1, 0, 2**63 - 1]),
    (pa.float64(), [None, float("nan"), 1e308]),
    (pa.binary(), [None, b"\xff", b"a.png"]),
    (pa.timestamp("ns"), [None, 2**63 - 1, 0]),
    (pa.date64(), [datetime.date.min, None, 10**17]),
    (pa.duration("s"), [2**62, None]),
    (pa.list_(pa.string()), [None, [], ["a.png", None]]),
    (pa.struct({"a": pa.int8()}), [None, {"a": 1}]),
    (pa.decimal128(38, 3), [None, 7]),
]


def encoded(table: pa.Table, **options: object) -> bytes:
    buffer = io.BytesIO()
    pq.write_table(table, buffer, **options)
    return buffer.getvalue()


def table(rng: Random) -> bytes:
    names = {"uri", *rng.sample([*COLUMNS, "offset", "problem", "\x1b"], rng.randint(0, 3))}
    made = {}
    for name in sorted(names):
        kind, values = CELLS[0] if rng.random() < 0.6 else rng.choice(CELLS)
        made[name] = pa.array([rng.choice(values) for _ in range(3)], kind)
    return encoded(pa.table(made))


@pytest.fixture(scope="module")
def seeds(memory_folder) -> list[tuple[str, bytes]]:
    rows = [SourceRow(uri=path) for path in PATHS[:3]]
    write_catalog(rows, memory_folder / "c", base=memory_folder, default_dataset="d")
    columns = {name: pa.array(["a.png", None]) for name in COLUMNS} | {"uri": ["a", "b.png"]}
    plain = {"compression": "none", "use_dictionary": False, "write_statistics": False}
    made = [encoded(pa.table(columns)), encoded(pa.table(columns), **plain)]
    catalog = pq.read_table(memory_folder / "c")
    catalogs = [(memory_folder / "c").read_bytes(), encoded(catalog, **plain)]
    return [
        *TEXT,
        *((".parquet", data) for data in made),
        *(("catalog", data) for data in catalogs),
    ]


def test_sources_and_catalogs(fuzz, damage, memory_folder, seeds):
    folder = memory_folder / "catalog"
    folder.mkdir()
    (folder / "a.png").write_bytes(b"a photograph")
    catalog = folder / "c.parquet"

    def source(suffix: str, data: bytes, dedupe: bool) -> str:
        path = folder / f"list{suffix}"
        path.write_bytes(data)
        rows = list(read_source(path))
        assert all(printable(row.uri) == row.uri for row in rows)
        usable = [row.uri for row in rows if row.problem is None]
        assert not any(uri.startswith(("/etc", "../")) for uri in usable)
        count = write_catalog(rows, catalog, base=folder, default_dataset="d", dedupe=dedupe)
        images = list(Catalog(catalog).rows(0, count))
        assert len(images) == len(rows) == count
        assert sorted(image.uri for image in images) == sorted(row.uri for row in rows)
        return f"{suffix} read"

    def check(rng: Random) -> str:
        suffix, data = rng.choice(seeds)
        kind = rng.random()
        if kind < 0.15:
            suffix, data = ".parquet", table(rng)
        elif kind < 0.95:
            data = damage(rng, data, WORDS)
        else:
            data = rng.randbytes(rng.randint(0, 60))
        try:
            if suffix != "catalog":
                return source(suffix, data, rng.random() < 0.5)
            catalog.write_bytes(data)
            opened = Catalog(catalog)
            assert len(list(opened.rows(0, len(opened)))) == len(opened) < 100
            assert sum(map(len, opened.facts())) == len(opened)
        except (SourceError, DamageError) as error:
            said = str(error)
        else:
            return "catalog read"
        assert printable(said) == said
        return f"{suffix} refused"

    fuzz(check)
