"""The manifest: one row per requested pair. Its presence is what makes a shard exist."""

from __future__ import annotations

import json
import math
import re
from collections import Counter
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from blake3 import blake3

from gends.pipeline.format.damage import DamageError
from gends.pipeline.names import printable
from gends.pipeline.storage.store import StorageError, Store, usable

FORMAT_VERSION = 2
STATUSES = ("accepted", "rejected", "failed")
METADATA_KEYS = frozenset(
    ("format_version", "shard_size", "shard_blake3", "config_digest", "content_blake3", *STATUSES)
)
"""Key-value metadata of every manifest file; under each status, the number of its rows."""
PARTS = ("gt", "lq", "mask", "bits", "ground", "ground_lq")
"""Pictures of a pair, each a member of its shard; all but the first two may be missing."""
RANGES = tuple(f"{part}_{what}" for part in PARTS for what in ("offset", "size"))
"""Columns that only the shard's tar can fill in."""
CHECKSUMS = tuple(f"{part}_blake3" for part in PARTS)
MOST_ROWS, MOST_BYTES = 1 << 24, 1 << 31
"""Of one manifest: a few bytes may claim to unfold into more than any memory."""

SCHEMA = pa.schema(
    [
        ("key", pa.string()),
        ("shard", pa.int32()),
        ("status", pa.string()),
        ("reason", pa.string()),
        ("detail", pa.string()),
        ("attempt", pa.int32()),
        ("origin", pa.string()),
        ("source_id", pa.string()),
        ("source_uri", pa.string()),
        ("source_dataset", pa.string()),
        ("source_degradation", pa.string()),
        ("source_blake3", pa.string()),
        ("split", pa.string()),
        ("view", pa.string()),
        ("degradation", pa.string()),
        ("steps", pa.string()),
        ("engine", pa.string()),
        ("target_kind", pa.string()),
        ("scm_applied", pa.bool_()),
        ("mu_target", pa.float32()),
        ("sigma_target", pa.float32()),
        ("mu", pa.float32()),
        ("sigma", pa.float32()),
        ("severity_dataset", pa.string()),
        ("random_sampled", pa.bool_()),
        ("seed", pa.uint64()),
        ("recipe", pa.string()),
        ("width", pa.int32()),
        ("height", pa.int32()),
        ("metrics", pa.map_(pa.string(), pa.float32())),
        *((name, pa.int64()) for name in RANGES),
        *((name, pa.string()) for name in CHECKSUMS),
        ("caption", pa.string()),
    ]
)

Row = dict[str, Any]


class ManifestError(DamageError):
    """A manifest that is damaged or none of ours; the message names it and the way out."""

    def __init__(self, where: str, what: str) -> None:
        """Say of the file at `where` what is wrong."""
        super().__init__(f"{where}: {what}; run gends-build verify, and repair")
        self.where = where
        self.what = what

    def __reduce__(self) -> tuple[Any, ...]:
        """Travel from a loader's worker to its trainer."""
        return ManifestError, (self.where, self.what)


def float32(value: float) -> float:
    """The shortest decimal that names the same float32: what both Parquet and JSON then hold."""
    return float(str(np.float32(value)))


def manifest_name(shard: int) -> str:
    """Name of a shard's manifest under the root."""
    return f"manifest/{shard:06d}.parquet"


def member_suffix(part: str, image_format: str) -> str:
    """What follows the key in the name of a pair's member."""
    return f".{part}.{image_format if part in PARTS[:2] else 'png'}"


def shard_name(shard: int) -> str:
    """Name of a shard's tar under the root."""
    return f"shards/{shard:06d}.tar"


def member_json(row: Row) -> bytes:
    """A manifest row as the `.json` member; byte ranges are left out, as they follow from it.

    A recipe stays text, as in the manifest: readers that infer one type for all members (Hugging
    Face datasets) would drop the parameters that the first few do not have.
    """
    known = {
        name: float32(value) if isinstance(value, float) else value
        for name, value in row.items()
        if name not in RANGES
    }
    # JSON has no NaN and no infinity.
    known["metrics"] = {
        name: float32(value) if math.isfinite(value) else None
        for name, value in row["metrics"] or []
    }
    return json.dumps(known, sort_keys=True, ensure_ascii=False, allow_nan=False).encode()


def as_manifest(
    rows: list[Row], *, shard_size: int, shard_blake3: str, config_digest: str
) -> pa.Table:
    """The rows of a shard's manifest and, as its metadata, what `write_manifest` is told."""
    counts = Counter(row["status"] for row in rows)
    facts = {
        "format_version": str(FORMAT_VERSION),
        "shard_size": str(shard_size),
        "shard_blake3": shard_blake3,
        "config_digest": config_digest,
        **{status: str(counts[status]) for status in STATUSES},
    }
    table = pa.Table.from_pylist(rows, schema=SCHEMA)
    facts["content_blake3"] = content_digest(table.to_pylist(), facts)
    return table.replace_schema_metadata(facts)


def write_manifest(
    store: Store,
    shard: int,
    rows: list[Row],
    *,
    shard_size: int,
    shard_blake3: str,
    config_digest: str,
    check: Callable[[], None] | None = None,
) -> None:
    """Publish a shard's manifest: create-only, and the last step of its commit.

    Size in bytes and BLAKE3 are the tar's. For `check` see `Store.publish`.

    Raises:
        AlreadyExistsError: the shard has a manifest.
    """
    manifest = as_manifest(
        rows, shard_size=shard_size, shard_blake3=shard_blake3, config_digest=config_digest
    )
    with store.publish(manifest_name(shard), create_only=True, check=check) as file:
        pq.write_table(manifest, file, compression="zstd", write_page_checksum=True)


def content_digest(rows: list[Row], facts: dict[str, str]) -> str:
    """BLAKE3 of all that a manifest says: its metadata and its rows, as read, in lines of JSON."""
    digest = blake3()
    known = {name: facts[name] for name in METADATA_KEYS - {"content_blake3"}}
    for values in (known, *rows):
        digest.update(json.dumps(values, sort_keys=True).encode() + b"\n")
    return digest.hexdigest()


def facts_of(schema: pa.Schema) -> dict[str, str]:
    """The key-value metadata of one manifest: format_version, shard_size, shard_blake3, counts."""
    return {k.decode(): v.decode() for k, v in (schema.metadata or {}).items()}


def read_facts(store: Store, shard: int) -> dict[str, str]:
    """The metadata of a shard's manifest, without its rows.

    Raises:
        OSError: the manifest is not there.
        ManifestError: it is damaged, or not a manifest.
    """
    return open_manifest(store, shard)[1]


def open_manifest(store: Store, shard: int) -> tuple[pq.ParquetFile, dict[str, str]]:
    """A shard's manifest, its columns and metadata checked and its rows not yet read.

    Raises:
        OSError: the manifest is not there.
        ManifestError: it is damaged, or not a manifest.
    """
    where, data = store.where(manifest_name(shard)), store.read(manifest_name(shard))
    try:
        with usable(where):
            file = pq.ParquetFile(pa.BufferReader(data), page_checksum_verification=True)
            facts = facts_of(file.schema_arrow)
    except StorageError:
        raise
    except (OSError, ValueError, pa.ArrowException) as error:
        raise ManifestError(where, f"unreadable: {printable(str(error))}") from error
    if not file.schema_arrow.equals(SCHEMA) or not facts.keys() >= METADATA_KEYS:
        raise ManifestError(where, "columns or metadata are not a manifest's")
    if facts["format_version"] != str(FORMAT_VERSION):
        found = printable(facts["format_version"])
        raise ManifestError(where, f"format version {found:.20}, this gends reads {FORMAT_VERSION}")
    for name in ("shard_size", *STATUSES):
        if not re.fullmatch(r"[0-9]{1,18}", facts[name]):
            raise ManifestError(where, f"{name} is {printable(facts[name]):.40}, not a number")
    groups = [file.metadata.row_group(n) for n in range(file.num_row_groups)]
    if file.metadata.num_rows > MOST_ROWS or sum(g.total_byte_size for g in groups) > MOST_BYTES:
        raise ManifestError(where, "its rows would be more than memory may hold")
    return file, facts


def read_rows(
    store: Store, shard: int, file: pq.ParquetFile, columns: Iterable[str] = SCHEMA.names
) -> pa.Table:
    """Rows of an opened manifest.

    Raises:
        ManifestError: they are damaged.
    """
    try:
        # A thread of Arrow's that lets go of Python's bytes while the interpreter ends aborts it;
        # and manifests are read side by side already.
        with usable(store.where(manifest_name(shard))):
            table = file.read(columns=list(columns), use_threads=False)
            table.validate(full=True)  # also that all text is UTF-8
    except StorageError:
        raise
    except (OSError, ValueError, pa.ArrowException) as error:
        what = f"unreadable: {printable(str(error))}"
        raise ManifestError(store.where(manifest_name(shard)), what) from error
    return table


def sealed_rows(store: Store, shard: int) -> tuple[list[Row], dict[str, str]]:
    """All rows and the metadata of a manifest, compared with the digest that it was sealed with.

    Raises:
        OSError: the manifest is not there.
        ManifestError: it is damaged, or not what was sealed.
    """
    file, facts = open_manifest(store, shard)
    rows: list[Row] = read_rows(store, shard, file).to_pylist()
    if content_digest(rows, facts) != facts["content_blake3"]:
        what = "damaged: its rows or its metadata are not those that were sealed"
        raise ManifestError(store.where(manifest_name(shard)), what)
    return rows, facts


def sealed_shards(store: Store, num_shards: int | None = None) -> list[int]:
    """Numbers of the shards that exist, in order; with `num_shards` only those of the plan."""
    found = numbers(store.names("manifest"), ".parquet")
    return found if num_shards is None else [shard for shard in found if shard < num_shards]


def lost_tars(store: Store, sealed: Iterable[int]) -> list[int]:
    """Which of the sealed shards have no tar, by one listing."""
    return sorted(set(sealed) - set(numbers(store.names("shards"), ".tar")))


def numbers(names: Iterable[str], suffix: str) -> list[int]:
    """The numbers that files are named after, in order; files named otherwise are none of ours."""
    stems = (name.removesuffix(suffix) for name in names if name.endswith(suffix))
    return sorted(int(stem) for stem in stems if re.fullmatch(r"[0-9]{6}|[1-9][0-9]{6,8}", stem))
