"""Profiles as JSON: one file, versioned, sealed by a digest.

Runs of counts are stored from the first non-empty bin to the last; rows of sigma given mu that
have no pairs are left out. The digest is blake3 of the content without it, keys sorted and no
white space, so it does not depend on how the file is laid out.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypedDict

import numpy as np
from blake3 import blake3

from gends.histograms.bins import Bins
from gends.histograms.tables import Counts, DatasetHistogram, SeverityTable, span

FORMAT = "gends.severity-profile"
SCHEMA_VERSION = 1

Json = dict[str, Any]


class Fields(TypedDict):
    """What a profile is made of."""

    degradations: dict[str, SeverityTable]
    mu_bins: Bins
    sigma_bins: Bins
    source: str


def digest(content: Mapping[str, Any]) -> str:
    """blake3 of encoded content, whatever `digest` it carries itself."""
    bare = {key: value for key, value in content.items() if key != "digest"}
    canonical = json.dumps(bare, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return blake3(canonical.encode()).hexdigest()


def encode(
    degradations: Mapping[str, SeverityTable], mu_bins: Bins, sigma_bins: Bins, source: str
) -> Json:
    """JSON value of a profile's fields, without its digest."""
    return {
        "format": FORMAT,
        "schema_version": SCHEMA_VERSION,
        "source": source,
        "mu_bins": _encode_bins(mu_bins),
        "sigma_bins": _encode_bins(sigma_bins),
        "degradations": {name: _encode_table(table) for name, table in degradations.items()},
    }


def decode(content: Json) -> Fields:
    """A profile's fields from what `encode` made; KeyError, TypeError or ValueError otherwise."""
    mu_bins, sigma_bins = Bins(**content["mu_bins"]), Bins(**content["sigma_bins"])
    return {
        "degradations": {
            name: _decode_table(name, table, mu_bins, sigma_bins)
            for name, table in content["degradations"].items()
        },
        "mu_bins": mu_bins,
        "sigma_bins": sigma_bins,
        "source": content["source"],
    }


def dump(content: Json) -> bytes:
    """The bytes of a stored profile, its digest first."""
    return json.dumps({"digest": digest(content)} | content, allow_nan=False).encode() + b"\n"


def write(content: Json, path: str | os.PathLike[str]) -> None:
    """Write beside `path`, then move there: readers see the old file or the new one, whole."""
    target = Path(path)
    partial = target.with_name(f".{target.name}.{os.getpid()}.partial")
    partial.unlink(missing_ok=True)
    try:
        with partial.open("xb") as file:
            file.write(dump(content))
            file.flush()
            os.fsync(file.fileno())
        partial.replace(target)
    finally:
        partial.unlink(missing_ok=True)


def parse(text: str, where: str) -> Json:
    """Content of a stored profile, its version and digest checked; `where` names it in errors."""
    try:
        content = json.loads(text, parse_constant=_refuse)
    except ValueError as error:
        raise ValueError(f"{where} is not a severity profile: no valid JSON ({error})") from error
    _check_identity(content, where)
    checked: Json = content
    return checked


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is no number")


def _check_identity(content: Any, where: str) -> None:
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        raise ValueError(
            f"{where} is not a severity profile: its format must be {FORMAT!r}; "
            "make one with `gends-build histograms fit` or `import`"
        )
    if content.get("schema_version") != SCHEMA_VERSION:
        raise ValueError(
            f"{where} has schema version {content.get('schema_version')!r}, this program reads "
            f"{SCHEMA_VERSION}; make the profile again, or use the program that wrote it"
        )
    if content.get("digest") != digest(content):
        raise ValueError(
            f"{where} was changed or damaged after it was written: its digest is "
            f"{content.get('digest')!r}, its content's {digest(content)!r}; fit or import it again"
        )


def _encode_bins(bins: Bins) -> Json:
    return {"count": bins.count, "low": float(bins.low), "high": float(bins.high)}


def _encode_table(table: SeverityTable) -> Json:
    return {
        "datasets": {
            name: {
                "weight": histogram.weight,
                "mu": _encode_run(histogram.mu),
                "sigma": _encode_run(histogram.sigma),
            }
            for name, histogram in table.datasets.items()
        },
        "sigma_given_mu": [
            {"mu_bin": row} | _encode_run(counts)
            for row, counts in enumerate(table.sigma_given_mu)
            if counts.any()
        ],
    }


def _decode_table(name: str, table: Json, mu_bins: Bins, sigma_bins: Bins) -> SeverityTable:
    joint = np.zeros((mu_bins.count, sigma_bins.count))
    for run in table["sigma_given_mu"]:
        row = run["mu_bin"]
        if not 0 <= row < mu_bins.count or joint[row].any():
            raise ValueError(
                f"{name}: sigma given mu has row {row} twice, or beyond the {mu_bins.count} mu bins"
            )
        joint[row] = _decode_run(run, sigma_bins, name)
    datasets = {
        dataset: DatasetHistogram(
            mu=_decode_run(value["mu"], mu_bins, f"{name}, {dataset}"),
            sigma=_decode_run(value["sigma"], sigma_bins, f"{name}, {dataset}"),
            weight=value["weight"],
        )
        for dataset, value in table["datasets"].items()
    }
    return SeverityTable(datasets=datasets, sigma_given_mu=joint)


def _encode_run(counts: Counts) -> Json:
    first, end = span(counts)
    # Whole pairs as integers: shorter, and the same text on every platform.
    return {
        "first": first,
        "counts": [int(n) if n.is_integer() else n for n in counts[first:end].tolist()],
    }


def _decode_run(run: Json, bins: Bins, where: str) -> Counts:
    first, counts = run["first"], run["counts"]
    if first < 0 or first + len(counts) > bins.count:
        raise ValueError(
            f"{where}: counts of bins {first} to {first + len(counts) - 1} do not fit "
            f"into {bins.count} bins"
        )
    values = np.zeros(bins.count)
    values[first : first + len(counts)] = counts
    return values
