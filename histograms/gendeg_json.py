"""Imports severity histograms in the JSON layout that GenDeg publishes.

One folder per degradation; in it, at any depth, files that hold a list of bins each: mu of a
dataset, sigma of a dataset, and sigma given mu, which is pooled over the degradation's datasets
and repeated for each of them. Files are told apart by what they hold, and bins by their numbers.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from gends.histograms.bins import Bins
from gends.histograms.names import degradation_name
from gends.histograms.profile import Profile
from gends.histograms.tables import Counts, DatasetHistogram, SeverityTable

PAPER_WEIGHTS = {"ORD": 0.2, "DenseHaze": 0.05, "NH-HAZE": 0.1, "I-HAZE": 0.25, "SID": 0.2}
"""Datasets that GenDeg draws less often than the others, whose weight is 1."""

ROUNDING = 6e-4
"""How far an edge printed with three decimals may lie from its own bin's."""

NUMBER = r"\d+(?:\.\d+)?(?:[eE][-+]?\d+)?"

Records = list[dict[str, Any]]


def read_published(
    root: str | os.PathLike[str], weights: Mapping[str, float] | None = None
) -> Profile:
    """Profile of the histograms under `root`, one folder per degradation.

    `weights`, by dataset name, replaces or adds to the paper's. Raises ValueError, naming the file
    or folder, if bins do not agree, a table is missing, two files claim one dataset, or the pooled
    tables of a degradation differ.
    """
    folders = sorted(path for path in Path(root).iterdir() if path.is_dir())
    found = {folder: _Found.read(folder) for folder in folders}
    found = {folder: tables for folder, tables in found.items() if not tables.empty}
    if not found:
        raise ValueError(f"{root} holds no histograms: expected <degradation>/…/*.json of lists "
                         "whose items have 'Mu min', 'Sigma min' or 'Mu range'")  # fmt: skip
    mus = [file for tables in found.values() for file in tables.mu.values()]
    sigmas = [file for tables in found.values() for file in tables.sigma.values()]
    mu_bins = _agreed((file.bins("Mu") for file in mus), "Mu")
    sigma_bins = _agreed((file.bins("Sigma") for file in sigmas), "Sigma")
    chosen = _chosen_weights(found.values(), weights or {})
    degradations: dict[str, SeverityTable] = {}
    for folder, tables in found.items():
        name = degradation_name(folder.name)
        if name in degradations:
            raise ValueError(f"{folder} is a second folder of {name}: merge the two")
        degradations[name] = tables.table(mu_bins, sigma_bins, chosen)
    source = "imported from histograms in the layout published with GenDeg (arXiv 2411.17687)"
    return Profile(degradations=degradations, mu_bins=mu_bins, sigma_bins=sigma_bins, source=source)


@dataclass(frozen=True)
class _File:
    """One published list of bins."""

    path: Path
    records: Records

    def bins(self, axis: str) -> Bins:
        with _naming(self.path):
            return Bins(
                count=len(self.records),
                low=min(float(record[f"{axis} min"]) for record in self.records),
                high=max(float(record[f"{axis} max"]) for record in self.records),
            )

    def histogram(self, axis: str, bins: Bins) -> Counts:
        with _naming(self.path):
            return _histogram(self.records, axis, bins)

    def table(self, mu_bins: Bins, sigma_bins: Bins) -> Counts:
        table = np.zeros((mu_bins.count, sigma_bins.count))
        with _naming(self.path):
            ranges = [re.findall(NUMBER, record["Mu range"]) for record in self.records]
            rows = _places([low for low, _ in ranges], [high for _, high in ranges], mu_bins)
            for row, record in zip(rows, self.records, strict=True):
                table[row] += _histogram(record["Count"], "Sigma", sigma_bins)
        return table


@dataclass(frozen=True)
class _Found:
    """The files of one degradation."""

    folder: Path
    mu: dict[str, _File] = field(default_factory=dict)
    sigma: dict[str, _File] = field(default_factory=dict)
    joint: list[_File] = field(default_factory=list)

    @classmethod
    def read(cls, folder: Path) -> _Found:
        found = cls(folder)
        for path in sorted(folder.rglob("*.json")):
            try:
                records = json.loads(path.read_text(encoding="utf-8"))
            except ValueError as error:
                raise ValueError(f"{path} is no JSON ({error})") from error
            if isinstance(records, list) and records and isinstance(records[0], dict):
                found._sort_in(_File(path, records))
        return found

    @property
    def empty(self) -> bool:
        return not (self.mu or self.sigma or self.joint)

    def table(self, mu_bins: Bins, sigma_bins: Bins, weights: Mapping[str, float]) -> SeverityTable:
        if self.mu.keys() != self.sigma.keys() or not self.joint:
            raise ValueError(
                f"{self.folder} is not complete: mu of {sorted(self.mu)}, sigma of "
                f"{sorted(self.sigma)}, {len(self.joint)} tables of sigma given mu"
            )
        datasets = {}
        for name, file in self.mu.items():
            mu = file.histogram("Mu", mu_bins)
            sigma = self.sigma[name].histogram("Sigma", sigma_bins)
            with _naming(file.path):
                datasets[name] = DatasetHistogram(
                    mu=mu, sigma=sigma, weight=weights.get(_key(name), 1.0)
                )
        return SeverityTable(datasets=datasets, sigma_given_mu=self._pooled(mu_bins, sigma_bins))

    def _sort_in(self, file: _File) -> None:
        if "Mu range" in file.records[0]:
            self.joint.append(file)
        for axis, files in (("Mu", self.mu), ("Sigma", self.sigma)):
            if f"{axis} min" in file.records[0]:
                with _naming(file.path):
                    dataset = str(file.records[0]["Dataset"])
                if dataset in files:
                    raise ValueError(f"{file.path} is a second {axis} histogram of {dataset}")
                files[dataset] = file

    def _pooled(self, mu_bins: Bins, sigma_bins: Bins) -> Counts:
        first, *others = self.joint
        table = first.table(mu_bins, sigma_bins)
        for other in others:
            if not np.array_equal(table, other.table(mu_bins, sigma_bins)):
                raise ValueError(
                    f"{first.path} and {other.path} differ: sigma given mu is pooled over the "
                    "datasets of a degradation, so all its files must hold one table"
                )
        return table


@contextmanager
def _naming(path: Path) -> Iterator[None]:
    """Errors in what a file holds name the file."""
    try:
        yield
    except KeyError as error:
        raise ValueError(f"{path} has a bin without {error}") from error
    except (TypeError, ValueError) as error:
        raise ValueError(f"{path}: {error}") from error


def _agreed(bins: Iterable[Bins], axis: str) -> Bins:
    distinct = set(bins)
    if len(distinct) != 1:
        raise ValueError(
            f"the {axis} histograms must have the same bins, got {sorted(map(str, distinct))}"
        )
    return distinct.pop()


def _histogram(records: Records, axis: str, bins: Bins) -> Counts:
    places = _places(
        [record[f"{axis} min"] for record in records],
        [record[f"{axis} max"] for record in records],
        bins,
    )
    counts = np.zeros(bins.count)
    np.add.at(counts, places, [float(record["Count"]) for record in records])
    return counts


def _places(lows: list[Any], highs: list[Any], bins: Bins) -> npt.NDArray[np.intp]:
    """Indices of the bins between these edges, which may be rounded and may be text."""
    low, high = np.array(lows, dtype=np.float64), np.array(highs, dtype=np.float64)
    edges = bins.edges
    places = np.clip(np.searchsorted(edges, (low + high) / 2) - 1, 0, bins.count - 1)
    off = np.maximum(np.abs(low - edges[places]), np.abs(high - edges[places + 1])) > ROUNDING
    if off.any():
        first = int(off.argmax())
        raise ValueError(
            f"{lows[first]} to {highs[first]} is none of {bins.count} equal bins from "
            f"{bins.low:g} to {bins.high:g}"
        )
    return places


def _chosen_weights(found: Iterable[_Found], weights: Mapping[str, float]) -> dict[str, float]:
    known = {_key(name): name for tables in found for name in tables.mu}
    if unknown := sorted(name for name in weights if _key(name) not in known):
        raise ValueError(
            f"weights name {', '.join(unknown)}, but the histograms are of "
            f"{', '.join(sorted(known.values()))}"
        )
    return {_key(name): weight for name, weight in (PAPER_WEIGHTS | dict(weights)).items()}


def _key(dataset: str) -> str:
    """Spellings of one dataset differ in case and hyphens."""
    return "".join(filter(str.isalnum, dataset.casefold()))
