"""How many pairs of each mixture each photograph gets: worked out at once, never counted up."""

from __future__ import annotations

from functools import cached_property

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from gends.pipeline.photographs.catalog import Catalog
from gends.pipeline.planning.config import BuildConfig, ConfigError
from gends.pipeline.planning.mixture import MixtureConfig
from gends.pipeline.seeds import draw_seed
from gends.pipeline.types import CleanImage

Flags = npt.NDArray[np.bool_]
Counts = npt.NDArray[np.int64]


class PairCounts:
    """Pairs by photograph and mixture, and which pair of its mixture each is.

    Mixtures that ask for exactly so many `pairs` spread them evenly over the photographs that may
    be used: each gets a share, and those that get one more are drawn. Of all other mixtures every
    photograph gets `replicas` pairs, or, with `per_image`, of as many mixtures as that says, drawn
    by weight.
    """

    def __init__(self, catalog: Catalog, config: BuildConfig) -> None:
        """See which photographs allow which mixtures.

        Raises:
            ConfigError: none allows a mixture, or too few to make its pairs of.
        """
        self.config = config
        self.exact = {one.name: one for one in config.wanted if one.pairs is not None}
        self.drawn = [one for one in config.wanted if one.pairs is None]
        self._catalog = catalog
        self._known_starts: dict[str, Counts] = {}
        for mixture in config.mixtures:
            if not self._allowed[mixture.name].any():
                raise ConfigError(_of_none(mixture, catalog))
        if self.exact and self.most > config.shard_size:
            raise ConfigError(
                f"{self.most} pairs of one photograph do not fit a shard of {config.shard_size}: "
                "give more photographs, ask for fewer pairs, or raise shard_size"
            )

    @cached_property
    def _allowed(self) -> dict[str, Flags]:
        return _allowed(self._catalog, self.config)

    @cached_property
    def _shares(self) -> dict[str, Counts]:
        return {name: self._share(mixture) for name, mixture in self.exact.items()}

    @property
    def most(self) -> int:
        """Pairs that one photograph gets at most."""
        exact = sum(int(share.max(initial=0)) for share in self._shares.values())
        return exact + self.config.replicas * self._most_drawn()

    def _most_drawn(self) -> int:
        return min(self.config.per_image or len(self.drawn), len(self.drawn))

    @cached_property
    def totals(self) -> Counts:
        """Pairs of each photograph."""
        allowed = [self._allowed[mixture.name] for mixture in self.drawn]
        drawn = np.sum(allowed, axis=0, dtype=np.int64) if allowed else np.int64(0)
        totals = np.minimum(drawn, self._most_drawn()) * self.config.replicas
        return np.asarray(sum(self._shares.values(), totals))

    def of(self, index: int, clean: CleanImage) -> list[tuple[MixtureConfig, int]]:
        """The mixtures of one photograph, in their order, and how many pairs of each."""
        chosen = {mixture.name for mixture in self._chosen(index, clean)}
        found = []
        for mixture in self.config.wanted:
            if mixture.name in self.exact:
                found.append((mixture, int(self._shares[mixture.name][index])))
            elif mixture.name in chosen:
                found.append((mixture, self.config.replicas))
        return [(mixture, count) for mixture, count in found if count]

    def start(self, mixture: MixtureConfig, index: int) -> int:
        """Number, among all pairs of its mixture, of a photograph's first one.

        With `per_image` it is not known which photographs come before; then it is an even draw.
        """
        if mixture.name in self.exact:
            return int(self._starts(mixture.name)[index])
        if self.config.per_image is None:
            return int(self._starts(mixture.name)[index]) * self.config.replicas
        return draw_seed(self.config.seed, index, mixture.name, "ordinal")

    def _starts(self, name: str) -> Counts:
        if name not in self._known_starts:
            counts = self._shares[name] if name in self.exact else self._allowed[name]
            self._known_starts[name] = np.cumsum(counts, dtype=np.int64) - counts
        return self._known_starts[name]

    def _chosen(self, index: int, clean: CleanImage) -> list[MixtureConfig]:
        allowed = [one for one in self.drawn if self._allowed[one.name][index]]
        wanted = self.config.per_image
        if wanted is None or wanted >= len(allowed):
            return allowed
        rng = np.random.default_rng(draw_seed(self.config.seed, clean.source_id, "degradations"))
        weights = np.array([one.weight for one in allowed])
        if (weights == weights[0]).all():
            chosen = rng.permutation(len(allowed))[:wanted]
        else:
            shares = weights / weights.sum()
            chosen = rng.choice(len(allowed), size=wanted, replace=False, p=shares)
        return [allowed[place] for place in sorted(chosen)]

    def _share(self, mixture: MixtureConfig) -> Counts:
        allowed = self._allowed[mixture.name]
        there = np.flatnonzero(allowed)
        assert mixture.pairs is not None
        each, more = divmod(mixture.pairs, len(there))
        shares: Counts = allowed.astype(np.int64) * each
        rng = np.random.default_rng(draw_seed(self.config.seed, mixture.name, "shares"))
        shares[there[rng.permutation(len(there))[:more]]] += 1
        return shares


def _of_none(mixture: MixtureConfig, catalog: Catalog) -> str:
    datasets = f" of {', '.join(mixture.datasets)}" * bool(mixture.datasets)
    there = {name for rows in catalog.facts() for name in rows["dataset"].to_pylist() if name}
    if mixture.datasets and not there & set(mixture.datasets):
        known = ", ".join(sorted(there)) or "none; a table given as --clean names them"
        return f"mixture {mixture.name}: no photograph{datasets}; datasets of these: {known}"
    return (
        f"mixture {mixture.name}: no photograph{datasets} can be used for it; photographs that "
        "already show one of its degradations are not, nor duplicates and unreadable ones"
    )


def _allowed(catalog: Catalog, config: BuildConfig) -> dict[str, Flags]:
    """By mixture: of which photographs it is made; of none that shows one of its degradations."""
    parts: dict[str, list[Flags]] = {mixture.name: [] for mixture in config.wanted}
    for rows in catalog.facts():
        sound = pc.and_(pc.is_null(rows["problem"]), pc.is_null(rows["duplicate_of"]))
        for mixture in config.wanted:
            flags = pc.invert(_is_in(rows["degradation"], sorted(mixture.ops)))
            if mixture.datasets:
                flags = pc.and_(flags, _is_in(rows["dataset"], mixture.datasets))
            if mixture.pairs is not None:
                flags = pc.and_(flags, sound)
            parts[mixture.name].append(flags.to_numpy(zero_copy_only=False))
    empty = [np.zeros(0, bool)]
    return {name: np.concatenate(flags or empty) for name, flags in parts.items()}


def _is_in(column: pa.ChunkedArray, values: tuple[str, ...] | list[str]) -> pa.ChunkedArray:
    return pc.is_in(column, value_set=pa.array(values, pa.string()))
