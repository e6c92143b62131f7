"""The severity profile: how severe real degradations are, as a thing to draw from and to store."""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from importlib import resources
from pathlib import Path

import numpy as np

from gends.histograms import storage
from gends.histograms.bins import MU_BINS, SIGMA_BINS, Bins
from gends.histograms.names import check_degradation
from gends.histograms.sampler import Draw, SeveritySampler
from gends.histograms.summary import SummaryRow, summarize
from gends.histograms.tables import SeverityTable

UNIFORM_SHARE = 0.05
"""Part of the requests that GenDeg draws uniformly: one in twenty."""


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Profile:
    """Severity statistics of several degradations: mu per dataset, sigma given mu pooled.

    After GenDeg (arXiv 2411.17687). Immutable; raises ValueError on tables that do not have the
    shape of the bins, and on degradation names unfit for keys and manifests.
    """

    degradations: Mapping[str, SeverityTable]
    mu_bins: Bins = MU_BINS
    sigma_bins: Bins = SIGMA_BINS
    source: str = ""
    """Where the figures come from, for people."""
    _samplers: dict[str, SeveritySampler] = field(default_factory=dict, init=False, repr=False)

    def __post_init__(self) -> None:
        if not self.degradations:
            raise ValueError("a profile needs at least one degradation, got none")
        tables = dict(sorted(self.degradations.items()))
        object.__setattr__(self, "degradations", tables)
        for degradation, table in tables.items():
            check_degradation(degradation)
            self._check_shapes(degradation, table)

    def draw(
        self, degradation: str, rng: np.random.Generator, uniform_share: float = UNIFORM_SHARE
    ) -> Draw:
        """Draw one severity of `degradation`; a function of the profile and `rng` alone.

        A dataset by weight, one of its mu bins by count, a sigma bin of that mu by count, both
        values uniform inside their bins; counts of sparse tables are smoothed first (see
        `gends.histograms.smoothing`). With probability `uniform_share`, in [0, 1], both values
        are drawn instead independently and uniformly over the dataset's non-empty range, and
        flagged `random_sampled`: such a draw may be a combination that no image can have.

        Raises ValueError for a degradation that the profile does not hold.
        """
        sampler = self._samplers.get(degradation) or self._sampler(degradation)
        if not 0.0 <= uniform_share <= 1.0:
            raise ValueError(f"uniform_share must lie in [0, 1], got {uniform_share}")
        return sampler.draw(rng, uniform_share)

    def only(self, names: Collection[str]) -> Profile:
        """The profile of some datasets, each named NAME or DEGRADATION/NAME.

        Degradations without any of them fall away; sigma given mu stays pooled over all that there
        were. Raises ValueError for a name that no dataset has.
        """
        found: set[str] = set()
        tables = {}
        for degradation, table in self.degradations.items():
            kept = {}
            for name, histogram in table.datasets.items():
                meant = {name, f"{degradation}/{name}"} & set(names)
                if meant:
                    kept[name] = histogram
                    found |= meant
            if kept:
                tables[degradation] = replace(table, datasets=kept)
        if unknown := sorted(set(names) - found):
            known = [f"{row.degradation}/{row.dataset}" for row in self.summary()]
            raise ValueError(f"no dataset {', '.join(unknown)}; there are {', '.join(known)}")
        return replace(self, degradations=tables)

    def summary(self) -> list[SummaryRow]:
        """One row per degradation and dataset, in order of their names."""
        return summarize(self.degradations, self.mu_bins)

    @property
    def digest(self) -> str:
        """blake3 of the canonical content, 64 hexadecimal digits."""
        return storage.digest(self._content())

    def encode(self) -> bytes:
        """The bytes of a stored profile."""
        return storage.dump(self._content())

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the profile as JSON, replacing `path` whole or not at all."""
        storage.write(self._content(), path)

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Profile:
        """Read a profile; ValueError if it is no profile, or not as it was written."""
        try:
            text = Path(path).read_text(encoding="utf-8")
        except UnicodeDecodeError as error:
            raise ValueError(f"{os.fspath(path)} is not a severity profile: not text") from error
        return cls._parse(text, where=os.fspath(path))

    @classmethod
    def reference(cls) -> Profile:
        """The profile that ships with the package: 21 public datasets, six degradations."""
        resource = resources.files("gends.histograms") / "data" / "reference.json"
        return cls._parse(resource.read_text(encoding="utf-8"), where="the reference profile")

    @classmethod
    def _parse(cls, text: str, where: str) -> Profile:
        content = storage.parse(text, where)
        try:
            return cls(**storage.decode(content))
        except (KeyError, TypeError, AttributeError, ValueError) as error:
            raise ValueError(f"{where} holds a broken severity profile: {error!r}") from error

    def _content(self) -> storage.Json:
        return storage.encode(self.degradations, self.mu_bins, self.sigma_bins, self.source)

    def _sampler(self, degradation: str) -> SeveritySampler:
        if degradation not in self.degradations:
            raise ValueError(
                f"the profile knows no degradation {degradation!r}, "
                f"only {', '.join(self.degradations)}"
            )
        sampler = SeveritySampler(self.degradations[degradation], self.mu_bins, self.sigma_bins)
        return self._samplers.setdefault(degradation, sampler)

    def _check_shapes(self, degradation: str, table: SeverityTable) -> None:
        mu, sigma = self.mu_bins.count, self.sigma_bins.count
        shapes: dict[str, tuple[tuple[int, ...], tuple[int, ...]]] = {
            "sigma given mu": (table.sigma_given_mu.shape, (mu, sigma))
        }
        for name, histogram in table.datasets.items():
            shapes[f"mu of {name}"] = (histogram.mu.shape, (mu,))
            shapes[f"sigma of {name}"] = (histogram.sigma.shape, (sigma,))
        for what, (got, wanted) in shapes.items():
            if got != wanted:
                raise ValueError(
                    f"{degradation}, {what}: counts of shape {got} do not fit the profile's bins, "
                    f"which need {wanted}"
                )


def load_profile(name_or_path: str | os.PathLike[str]) -> Profile:
    """The profile called `"reference"` (the embedded one), or the one stored at a path.

    A file that is itself called reference is reached as `./reference`. ValueError where there is no
    such file, or it is no profile.
    """
    if name_or_path == "reference":
        return Profile.reference()
    try:
        return Profile.load(name_or_path)
    except OSError as error:
        raise ValueError(
            f"profile {os.fspath(name_or_path)}: {error.strerror}; name 'reference', or a file "
            "that gends-build histograms wrote"
        ) from error
