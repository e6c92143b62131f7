"""Check a dataset against its own records."""

from __future__ import annotations

import tarfile
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from blake3 import blake3

from gends.histograms.severity import measure
from gends.pipeline.format.decode import decode
from gends.pipeline.format.identity import check_there
from gends.pipeline.format.manifest import (
    PARTS,
    STATUSES,
    ManifestError,
    Row,
    float32,
    manifest_name,
    member_json,
    member_suffix,
    sealed_rows,
    sealed_shards,
    shard_name,
)
from gends.pipeline.format.shard import checksum_of
from gends.pipeline.keeping.dataset import Dataset
from gends.pipeline.keeping.reopened import lost_manifests
from gends.pipeline.keeping.replay import replay_problem, why_not_replayed
from gends.pipeline.keeping.verify_rows import row_problems
from gends.pipeline.names import printable
from gends.pipeline.reading.reader import ShardReader
from gends.pipeline.sources import tars
from gends.pipeline.storage.store import StorageError, machine_fault

LOST_MANIFEST = "its manifest is missing; gends-build repair makes the shard again"


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """One thing that is not as recorded."""

    file: str
    what: str


def verify(dataset: Dataset, *, deep: bool = False) -> Iterator[tuple[int, list[Problem]]]:
    """Check shard after shard of the plan; yields the number of each that is there, and problems.

    Files that no planned shard has are another matter, see `foreign_files`.

    Always: the manifest's digest, its rows against the plan, the tar's size and checksum, its
    members against the rows. `deep` also decodes every pair, measures its severity again and, where
    nothing speaks against it (`why_not_replayed`), carries out its recipe again.

    Raises:
        StorageError: the store does not answer, which says nothing about its shards.
    """
    num_shards = dataset.plan.num_shards
    lost = set(lost_manifests(dataset.store, num_shards))
    sealed = set(sealed_shards(dataset.store, num_shards))
    check_there(dataset.store)  # or what is not mounted would have no shards, and no problems
    for shard in sorted(lost | sealed):
        if shard in sealed:
            yield shard, verify_shard(dataset, shard, deep=deep)
        else:
            yield shard, [Problem(file=shard_name(shard), what=LOST_MANIFEST)]


def verify_shard(dataset: Dataset, shard: int, *, deep: bool = False) -> list[Problem]:
    """Check one sealed shard as `verify` does; one that is opened again meanwhile has no problem.

    Raises:
        StorageError: the store does not answer.
    """
    problems = list(_problems(dataset, shard, deep))
    if problems:
        check_there(dataset.store)
    return problems


def _problems(dataset: Dataset, shard: int, deep: bool) -> Iterator[Problem]:
    try:
        rows, metadata = sealed_rows(dataset.store, shard)
    except FileNotFoundError:
        check_there(dataset.store)
        if shard in sealed_shards(dataset.store):  # a link that leads nowhere
            yield Problem(file=manifest_name(shard), what="unreadable: it is not there")
        return
    except ManifestError as error:
        # Nothing it says can be relied on, and so nothing be said of its tar.
        yield Problem(file=manifest_name(shard), what=error.what)
        return
    except StorageError:
        raise  # a store that is away is no damage
    except PermissionError as error:
        raise machine_fault(error, dataset.store.where(manifest_name(shard))) from error
    except OSError as error:
        yield Problem(file=manifest_name(shard), what=f"unreadable: {error}")
        return
    if metadata["config_digest"] != dataset.config_digest:
        yield Problem(file=manifest_name(shard), what="made with another configuration")
    for what in [*row_problems(dataset, shard, rows)] or _count_problems(rows, metadata):
        yield Problem(file=manifest_name(shard), what=what)
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
        if checksum_of(tar) != metadata["shard_blake3"]:
            yield Problem(file=shard_name(shard), what="checksum differs from the manifest's")
        yield from _verify_members(dataset, tar, shard, rows, deep)


def _count_problems(rows: list[Row], metadata: dict[str, str]) -> Iterator[str]:
    counts = Counter(row["status"] for row in rows)
    for status in STATUSES:
        if int(metadata[status]) != counts[status]:
            yield f"{metadata[status]} {status} in its metadata, {counts[status]} in its rows"


def _verify_members(
    dataset: Dataset, tar: Path, shard: int, rows: list[Row], deep: bool
) -> Iterator[Problem]:
    reader, name = ShardReader(dataset.store.url), shard_name(shard)
    members: dict[str, tarfile.TarInfo] = {}
    try:
        with open(tar, "rb") as archive:
            for member in tars.members(archive):
                if member.name in members:
                    yield Problem(file=name, what=f"{printable(member.name)} is there twice")
                members[member.name] = member
    except tarfile.TarError as error:
        yield Problem(file=name, what=f"not readable as a tar: {printable(str(error))}")
        return
    replays = deep and why_not_replayed(dataset) is None
    look = _Look(image_format=dataset.config.image_format, deep=deep, replays=replays)
    for row in rows:
        if row["status"] == "accepted":
            for what in _verify_pair(reader, shard, row, members, look):
                yield Problem(file=name, what=f"{printable(str(row['key']))}{what}")
    for extra in members:
        yield Problem(file=name, what=f"{printable(extra)} has no manifest row")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Look:
    """How closely pairs are looked at."""

    image_format: str
    deep: bool
    replays: bool
    """Whether recipes are carried out again, too."""


def _verify_pair(
    reader: ShardReader,
    shard: int,
    row: Row,
    members: dict[str, tarfile.TarInfo],
    look: _Look,
) -> Iterator[str]:
    """What is wrong with a pair; its members are taken out of `members`."""
    facts = members.pop(f"{row['key']}.json", None)
    if facts is None or not _is_row_of(reader, shard, facts, row):
        yield ".json missing or unlike its manifest row"
    images = {}
    for part in PARTS:
        member = members.pop(f"{row['key']}{member_suffix(part, look.image_format)}", None)
        place = (row[f"{part}_offset"], row[f"{part}_size"])
        if part not in PARTS[:2] and member is None and place == (None, None):
            continue
        if member is None or tars.oddity(member) or (member.offset_data, member.size) != place:
            yield f".{part} is not where its row says"
            continue
        images[part] = reader.read(shard, *place)
        if blake3(images[part]).hexdigest() != row[f"{part}_blake3"]:
            yield f".{part} differs from its checksum"
    if look.deep and {"gt", "lq"} <= images.keys():
        wrong = list(_verify_severity(row, images))
        again = replay_problem(row, images) if look.replays and not wrong else None
        yield from [*wrong, again] if again else wrong


def _is_row_of(reader: ShardReader, shard: int, facts: tarfile.TarInfo, row: Row) -> bool:
    """Whether a member is the row in JSON; a row that no build writes has none."""
    try:
        return reader.read(shard, facts.offset_data, facts.size) == member_json(row)
    except (StorageError, PermissionError):
        raise
    except (OSError, TypeError, ValueError):
        return False


def _verify_severity(row: Row, images: dict[str, bytes]) -> Iterator[str]:
    try:
        lq, gt = decode(images["lq"]), decode(images["gt"])
        severity = measure(lq, gt)
    except ValueError as error:
        yield f": {error}"
        return
    if gt.shape[:2] != (row["height"], row["width"]):
        yield f": {gt.shape[1]}x{gt.shape[0]} pixels stored"
    if (float32(severity.mu), float32(severity.sigma)) != (
        float32(row["mu"]),
        float32(row["sigma"]),
    ):
        yield f": severity {severity} differs from its row"
