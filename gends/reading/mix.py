"""Epochs that are drawn from parts of the data in given shares."""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Sized
from numbers import Real

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from gends.pipeline.format.arrow_values import as_numpy, texts
from gends.reading.order import Indices, Shuffle, arranged
from gends.reading.rows import Root

CYCLE = 1
"""Sets the draws within strata apart from those of orders."""


class Mix:
    """An epoch of a fixed length, drawn from strata of rows in given shares.

    Each stratum is gone through in random order, again and again and on from epoch to epoch: no
    pair comes a second time before all of its stratum have come once. What an epoch rounds off a
    share is made up for by later ones, so that a share of less than one draw comes, too.
    """

    def __init__(self, strata: Sequence[Indices], shares: Sequence[float], length: int) -> None:
        """Draw `length` rows, of each stratum its share, whole over the epochs.

        Raises:
            ValueError: `length` is below 1, a share is no number from 0 on, all are 0, or a
                stratum that has a share has no rows.
        """
        if length < 1:
            raise ValueError(f"length must be at least 1, got {length}")
        fit = all(isinstance(share, Real) and 0 <= share < np.inf for share in shares)
        if not fit or not sum(shares) > 0:
            raise ValueError(f"a mix needs shares from 0 on, and not only 0, got {list(shares)}")
        for number, (stratum, share) in enumerate(zip(strata, shares, strict=True)):
            if share and not len(stratum):
                raise ValueError(f"part {number} of the mix has a share of {share} and no pairs")
        self.strata = strata
        self._length = length
        self._wanted = np.asarray(shares, np.float64) / sum(shares) * length
        self._drawn = [np.zeros(len(strata), np.int64)]

    def drawn(self, epoch: int) -> Indices:
        """How many rows of each stratum come before an epoch.

        Each epoch draws what its strata are behind their shares, in whole numbers: those that are
        furthest behind are rounded up.
        """
        while len(self._drawn) <= epoch:
            before = self._drawn[-1]
            behind = self._wanted * len(self._drawn) - before
            self._drawn.append(before + _rounded(behind, self._length))
        return self._drawn[epoch]

    def counts(self, epoch: int) -> Indices:
        """How many rows of each stratum an epoch has."""
        return self.drawn(epoch + 1) - self.drawn(epoch)

    def order(self, seed: int, epoch: int, shuffle: Shuffle) -> Indices:
        """Rows of an epoch; one may come several times."""
        rng = np.random.default_rng((seed, epoch))
        buffers = shuffle.buffers(rng)
        before, counts = self.drawn(epoch), self.counts(epoch)
        labels = rng.permutation(np.repeat(np.arange(len(self.strata)), counts))
        order = np.empty(len(labels), np.int64)
        for number, count in enumerate(counts.tolist()):
            passes = self._passes(number, seed, int(before[number]), count)
            parts = [arranged(part, buffers, rng) for part in passes]
            order[labels == number] = np.concatenate([np.arange(0), *parts])
        return order

    def _passes(self, number: int, seed: int, start: int, count: int) -> list[Indices]:
        """Rows `start` to `start + count` of a stratum's sequence, one array for each round."""
        rows, passes = self.strata[number], []
        while count:
            cycle, place = divmod(start, len(rows))
            rng = np.random.default_rng((seed, cycle, number, CYCLE))
            passes.append(rng.permutation(rows)[place : place + count])
            start += len(passes[-1])
            count -= len(passes[-1])
        return passes


def _rounded(behind: npt.NDArray[np.float64], length: int) -> Indices:
    """Whole numbers from 0 on near to these, with the sum `length`."""
    whole = np.maximum(np.floor(behind), 0).astype(np.int64)
    while (missing := length - int(whole.sum())) > 0:
        whole[np.argsort(whole - behind, kind="stable")[:missing]] += 1
    while whole.sum() > length:  # where strata are ahead of their share: fewer than none is none
        whole[np.argmax(np.where(whole > 0, whole - behind, -np.inf))] -= 1
    return whole


def mix_of(
    rows: pa.Table, roots: Sequence[Root], mix: str | Sequence[float] | Mapping[str, float]
) -> tuple[list[Indices], list[float]]:
    """Strata and their shares.

    Args:
        rows: of all roots.
        roots: where they are from.
        mix: "gends": every degradation alike, and within each one every origin alike
            (original:generated = 1:1 where both are); or a weight for each root, as a list in
            their order or a dict by their names.

    Raises:
        ValueError: another word, or weights that do not go with the roots.
    """
    if isinstance(mix, str):
        if mix != "gends":
            raise ValueError(f'mix must be "gends" or weights, got {mix!r}')
        return _by_degradation(rows)
    numbers = as_numpy(rows["root"])
    if isinstance(mix, Mapping):
        names = [root.origin for root in roots]
        if set(mix) != set(names):
            raise ValueError(
                f"mix names {sorted(mix)}, and the roots are {sorted(map(str, names))}"
            )
        groups = [[n for n, name in enumerate(names) if name == wanted] for wanted in mix]
        return [np.flatnonzero(np.isin(numbers, group)) for group in groups], list(mix.values())
    if not isinstance(mix, Sized):
        raise ValueError(f'mix must be "gends" or weights, got {mix!r}')
    if len(mix) != len(roots):
        raise ValueError(f"mix has {len(mix)} weights, and there are {len(roots)} roots")
    return [np.flatnonzero(numbers == number) for number in range(len(roots))], list(mix)


def _by_degradation(rows: pa.Table) -> tuple[list[Indices], list[float]]:
    kinds = pc.binary_join_element_wise(rows["degradation"], rows["origin"], texts("\n")[0])
    coded = kinds.combine_chunks().dictionary_encode()
    codes, names = as_numpy(coded.indices), coded.dictionary.to_pylist()
    degradations = [name.partition("\n")[0] for name in names]
    order = sorted(range(len(names)), key=names.__getitem__)
    strata = [np.flatnonzero(codes == code) for code in order]
    return strata, [1 / degradations.count(degradations[code]) for code in order]
