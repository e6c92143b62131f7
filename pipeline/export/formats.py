"""The formats by name, and one export from beginning to end."""

from __future__ import annotations

import functools
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gends.pipeline.export.basicsr_lmdb import write_basicsr_lmdb
from gends.pipeline.export.daclip import write_daclip
from gends.pipeline.export.diffplugin import write_diffplugin
from gends.pipeline.export.folder import write_folder
from gends.pipeline.export.huggingface import write_huggingface
from gends.pipeline.export.pair import Pair, read_pairs
from gends.pipeline.export.place import earlier_export, new_folder, write_facts
from gends.pipeline.export.selection import Census, Selection, take_census
from gends.pipeline.format.damage import PairError
from gends.pipeline.format.identity import read_identity
from gends.pipeline.reading.reader import BESIDE, setting_of
from gends.pipeline.sources.own_output import EXPORT_NAME
from gends.pipeline.storage.opening import open_store

Writer = Callable[[Iterable[Pair], Path, Path], list[str]]
"""(pairs, folder to write into, what it is going to be called) -> what a user should know."""

WRITERS: dict[str, Writer] = {
    "folder": write_folder,
    "basicsr-lmdb": write_basicsr_lmdb,
    "daclip": write_daclip,
    "diffplugin": write_diffplugin,
    "huggingface": write_huggingface,
}
WITH_MEMBERS = ("folder", "huggingface")
"""Formats that have a place for what is stored beside pairs."""
"""Formats that pairs are copied into. `wids.py` copies none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Exported:
    """What an export came to."""

    num_pairs: int
    """In the folder, damaged ones not counted."""
    num_damaged: int
    """Left out; always 0 unless damaged pairs are skipped."""
    fresh: bool
    """False when the same export was there already, and nothing was done."""
    notes: tuple[str, ...]
    """How to use it, and what is special about it."""


def export(
    name: str,
    root: Path | str,
    out: Path,
    *,
    selection: Selection,
    members: Sequence[str] | None = None,
    skip: Callable[[PairError], None] | None = None,
    report: Callable[[int, int], None] = lambda done, total: None,
) -> Exported:
    """Copy selected pairs of a dataset into a new folder.

    The folder appears when all is in it; an export that was interrupted starts again. The same
    export again does nothing. `report` is told the numbers of pairs written and to write.

    Args:
        name: one of `WRITERS`.
        root: folder or bucket of a dataset.
        out: folder that is not there yet, or empty.
        selection: which pairs.
        members: what to copy of what is stored beside pairs, by formats that have a place for it;
            None copies all that there is.
        skip: told of every damaged pair, which is then left out; None stops at the first.
        report: called after every pair.

    Raises:
        PairError: a damaged pair, unless they are skipped.
        FileExistsError: `out` holds something else, or less: an export with pairs left out, where
            damaged ones are not skipped.
        BlockingIOError: another process is exporting there.
        ValueError: nothing is selected, or the format cannot hold what is.
        DamageError, StorageError: the dataset is damaged, or a store full or away.
    """
    out = out.resolve()
    census = take_census(root, selection)
    held = _members(name, census, members)
    facts = _facts(name, root, selection, census) | {"members": list(held)}
    if (earlier := earlier_export(out)) is not None:
        return _repeated(out, earlier, facts, complete=skip is None)
    counted = Counter[str]()

    def on_damage(error: PairError) -> None:
        if skip is None:
            raise error
        counted["damaged"] += 1
        skip(error)

    def told(pairs: Iterable[Pair]) -> Iterator[Pair]:
        for pair in pairs:
            yield pair
            counted["written"] += 1
            report(counted["written"] + counted["damaged"], census.num_pairs)

    with new_folder(out) as folder:
        pairs = read_pairs(root, selection.rows(root), on_damage=on_damage, members=held)
        write = WRITERS[name]
        if name == "huggingface":
            write = functools.partial(write_huggingface, members=held)
        notes = write(told(pairs), folder, out)
        write_facts(folder, facts | {"num_damaged": counted["damaged"]})
    return Exported(
        num_pairs=counted["written"],
        num_damaged=counted["damaged"],
        fresh=True,
        notes=tuple(notes),
    )


def _members(name: str, census: Census, asked: Sequence[str] | None) -> tuple[str, ...]:
    """What to copy beside the pairs, in the order of the shards."""
    if name not in WITH_MEMBERS:
        if asked:
            raise ValueError(f"{name} has no place for {', '.join(asked)}")
        return ()
    wanted = census.members if asked is None else asked
    for part in wanted:
        if part not in census.members:
            raise ValueError(
                f"no selected pair has a {part}; there are {', '.join(census.members) or 'none'}: "
                f"the build should have had `members: [{setting_of(part)}]` in its configuration"
            )
    return tuple(part for part in BESIDE if part in wanted)


def _facts(name: str, root: Path | str, selection: Selection, census: Census) -> dict[str, Any]:
    return {
        "format": name,
        "dataset": read_identity(open_store(root))["identity_digest"],
        "selection": selection.describe(),
        "num_selected": census.num_pairs,
        "keys_blake3": census.keys_blake3,
    }


def _repeated(
    out: Path, earlier: dict[str, Any], facts: dict[str, Any], *, complete: bool
) -> Exported:
    if not earlier.items() >= facts.items():
        differing = ", ".join(name for name in facts if earlier.get(name) != facts[name])
        raise FileExistsError(
            f"{out} holds another export (its {EXPORT_NAME} differs in {differing}); "
            "remove it, or name a new folder"
        )
    damaged = int(earlier["num_damaged"])
    if damaged and complete:
        raise FileExistsError(
            f"{out} lacks {damaged} pairs that were damaged when it was exported; remove it to "
            "export again, or leave them out with --skip-damaged"
        )
    return Exported(
        num_pairs=facts["num_selected"] - damaged, num_damaged=damaged, fresh=False, notes=()
    )
