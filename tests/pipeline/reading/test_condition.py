from __future__ import annotations

import pyarrow as pa
import pytest

from gends.pipeline.reading.condition import parse_condition
from gends.pipeline.reading.reader import read_manifest


@pytest.fixture(scope="module")
def rows(finished) -> pa.Table:
    return read_manifest(finished.store.root)


@pytest.mark.parametrize(
    ("text", "meets"),
    [
        ("mu>=0.1", lambda row: row["mu"] >= 0.1),
        (" mu < 0.1 ", lambda row: row["mu"] < 0.1),
        ("split=test", lambda row: row["split"] == "test"),
        ("split!=test", lambda row: row["split"] != "test"),
        ("attempt==0", lambda row: row["attempt"] == 0),
        ("random_sampled=false", lambda row: not row["random_sampled"]),
        ("metrics.structure>0.9", lambda row: dict(row["metrics"])["structure"] > 0.9),
        ("caption=rocket, the «left» half", lambda row: "rocket" in (row["caption"] or "")),
    ],
)
def test_rows_that_meet_it(rows, text, meets):
    found = rows.filter(parse_condition(text).expression).to_pylist()
    assert found == [row for row in rows.to_pylist() if meets(row)]
    assert len(found) > 0


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("mu", "no condition; write it like mu>=0.1"),
        ("mu in 3", "no condition"),
        ("mass>1", "no column 'mass' in a manifest; there are key"),
        ("mu>thick", "mu holds float"),
        ("attempt=0.5", "attempt holds int32"),
        ("metrics>1", "named metrics.NAME"),
        ("mu.structure>1", "named metrics.NAME"),
        ("\x1b[2J", r"'\\\\x1b\[2J' is no condition"),
    ],
)
def test_what_is_none_is_said(text, said):
    with pytest.raises(ValueError, match=said):
        parse_condition(text)
