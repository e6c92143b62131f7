"""Check a dataset against its own records."""

from __future__ import annotations

import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from blake3 import blake3

from gends.histograms.severity import measure
from gends.pipeline.dataset import Dataset
from gends.pipeline.manifest import (
    METADATA_KEYS,
    SCHEMA,
    Row,
    facts_of,
    float32,
    manifest_name,
    member_json,
    numbers,
    sealed_shards,
    shard_name,
)
from gends.pipeline.pack import decode
from gends.pipeline.reader import ShardReader


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """One thing that is not as recorded."""

    file: str
    what: str


def verify(dataset: Dataset, *, deep: bool = False) -> Iterator[tuple[int, list[Problem]]]:
    """Check shard after shard; yields each number with its problems.

    Always: the tar's size and checksum, its members against the manifest's rows, the manifest's
    keys against the plan. `deep` also decodes every pair and measures its severity again.
    """
    planned = range(dataset.plan.num_shards)
    sealed = set(sealed_shards(dataset.store))
    tars = set(numbers(dataset.store.names("shards"), ".tar"))
    for shard in sorted(sealed | tars):
        if shard not in planned:
            problems = [Problem(file=shard_name(shard), what="not in the plan")]
        elif shard not in sealed:
            # Killed between tar and manifest: readers ignore it and a resumed build replaces it.
            problems = [Problem(file=shard_name(shard), what="no manifest; resume the build")]
        else:
            problems = list(_verify_shard(dataset, shard, deep))
        yield shard, problems


def _verify_shard(dataset: Dataset, shard: int, deep: bool) -> Iterator[Problem]:
    try:
        table = pq.read_table(pa.BufferReader(dataset.store.read(manifest_name(shard))))
        metadata = facts_of(table.schema)
    except (OSError, ValueError) as error:
        yield Problem(file=manifest_name(shard), what=f"unreadable: {error}")
        return
    if not table.schema.equals(SCHEMA) or not metadata.keys() >= METADATA_KEYS:
        yield Problem(file=manifest_name(shard), what="columns or metadata are not a manifest's")
        return
    rows = table.to_pylist()
    if metadata["config_digest"] != dataset.config_digest:
        yield Problem(file=manifest_name(shard), what="made with another configuration")
    yield from _verify_keys(dataset, shard, rows)
    try:
        size = dataset.store.size(shard_name(shard))
    except FileNotFoundError:
        yield Problem(file=shard_name(shard), what="missing")
        return
    if size != int(metadata["shard_size"]):
        yield Problem(
            file=shard_name(shard), what=f"{size} bytes, manifest says {metadata['shard_size']}"
        )
        return
    with dataset.store.local_copy(shard_name(shard)) as tar:
        if blake3(max_threads=blake3.AUTO).update_mmap(tar).hexdigest() != metadata["shard_blake3"]:
            yield Problem(file=shard_name(shard), what="checksum differs from the manifest's")
        yield from _verify_members(dataset, tar, shard, rows, deep)


def _verify_keys(dataset: Dataset, shard: int, rows: list[Row]) -> Iterator[Problem]:
    planned = [
        request.key
        for unit in dataset.plan.units(shard)
        for view in unit.views
        for request in view.requests
    ]
    found = [row["key"] for row in rows]
    if found != sorted(planned):
        missing, foreign = set(planned) - set(found), set(found) - set(planned)
        what = f"{len(missing)} planned keys missing, {len(foreign)} foreign"
        if not missing and not foreign:
            what = "keys repeated or out of order"
        yield Problem(file=manifest_name(shard), what=what)


def _verify_members(
    dataset: Dataset, tar: Path, shard: int, rows: list[Row], deep: bool
) -> Iterator[Problem]:
    reader, name = ShardReader(dataset.store.url), shard_name(shard)
    try:
        with tarfile.open(tar, "r:") as archive:
            members = {member.name: member for member in archive}
    except tarfile.TarError as error:
        yield Problem(file=name, what=f"not readable as a tar: {error}")
        return
    image_format = dataset.config.image_format
    for row in rows:
        if row["status"] != "accepted":
            continue
        facts = members.pop(f"{row['key']}.json", None)
        if facts is None or reader.read(shard, facts.offset_data, facts.size) != member_json(row):
            yield Problem(file=name, what=f"{row['key']}.json missing or unlike its manifest row")
        images = {}
        for part in ("gt", "lq"):
            member = members.pop(f"{row['key']}.{part}.{image_format}", None)
            place = (row[f"{part}_offset"], row[f"{part}_size"])
            if member is None or (member.offset_data, member.size) != place:
                yield Problem(file=name, what=f"{row['key']}.{part} is not where its row says")
                continue
            images[part] = reader.read(shard, *place)
            if blake3(images[part]).hexdigest() != row[f"{part}_blake3"]:
                yield Problem(file=name, what=f"{row['key']}.{part} differs from its checksum")
        if deep and len(images) == 2:
            yield from _verify_severity(name, row, images)
    for extra in members:
        yield Problem(file=name, what=f"{extra} has no manifest row")


def _verify_severity(name: str, row: Row, images: dict[str, bytes]) -> Iterator[Problem]:
    try:
        lq, gt = decode(images["lq"]), decode(images["gt"])
        severity = measure(lq, gt)
    except (OSError, ValueError) as error:
        yield Problem(file=name, what=f"{row['key']}: {error}")
        return
    if gt.shape[:2] != (row["height"], row["width"]):
        yield Problem(file=name, what=f"{row['key']}: {gt.shape[1]}x{gt.shape[0]} pixels stored")
    if (float32(severity.mu), float32(severity.sigma)) != (
        float32(row["mu"]),
        float32(row["sigma"]),
    ):
        yield Problem(file=name, what=f"{row['key']}: severity {severity} differs from its row")
