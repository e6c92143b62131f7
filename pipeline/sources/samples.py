"""Photographs in tar shards, each with the caption and the facts of its sample."""

from __future__ import annotations

import itertools
import json
import tarfile
from collections.abc import Iterator, Sequence
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, BinaryIO

from gends.pipeline.names import control_problem, own_id, path_problem, printable
from gends.pipeline.sources.columns import FACTS, near_column
from gends.pipeline.sources.own_output import is_own_pair, refusal
from gends.pipeline.sources.passed_over import is_hidden
from gends.pipeline.sources.source_options import SourceOptions
from gends.pipeline.sources.tars import leads_out, members, oddity
from gends.pipeline.storage.store import StorageError, usable
from gends.pipeline.types import IMAGE_SUFFIXES, MOST_TEXT, SourceRow

MOST_MEMBERS = 10_000
"""Of one sample: they are held in memory."""
_BESIDE = ("json", "txt")


def read_tar(path: Path, root: Path, options: SourceOptions) -> Iterator[SourceRow]:
    """Members of one key belong together: photograph, its caption (.txt), its facts (.json).

    As in webdataset, a key ends at the first dot of the file's name, and members of one key stand
    together. `0.mask.txt` and `0.mask.json` are those of `0.mask.png`; `0.txt` and `0.json` are
    those of all photographs of the sample.

    A damaged tar gives the samples that are known to be whole, and a row under its own name that
    says what is wrong: of the last sample before the damage nobody knows what more belonged to it.
    A member that is no plain file, or would lead outside, is a row with a problem: nothing is
    unpacked and no link followed.

    Raises:
        ValueError: a sample has several images and `options.member` does not say which of them
            are photographs; or the tar is a shard of a dataset.
    """
    uri = path.relative_to(root).as_posix()
    try:
        with usable(path), open(path, "rb") as file:
            shown = _shown(members(file), uri, options)
            for key, sample in itertools.groupby(shown, key=lambda member: _split(member)[0]):
                yield from _Sample(file, uri, key, _bounded(sample), options).rows()
    except StorageError:
        raise  # it says nothing of the tar
    except (OSError, tarfile.TarError) as error:
        reason = printable(getattr(error, "strerror", None) or str(error))
        yield SourceRow(
            uri=printable(uri),
            source_id=own_id(uri),
            problem=f"the tar cannot be read to its end: {reason}",
        )


def _shown(
    all_members: Iterator[tarfile.TarInfo], tar: str, options: SourceOptions
) -> Iterator[tarfile.TarInfo]:
    for member in all_members:
        if is_hidden(member.name):
            options.passed_over.add("hidden", f"{tar}!{member.name}")
        else:
            yield member


def _bounded(sample: Iterator[tarfile.TarInfo]) -> list[tarfile.TarInfo]:
    # Of a member that stands there twice, the later one counts: it was appended anew.
    found: dict[str, tarfile.TarInfo] = {}
    for member in sample:
        found[member.name] = member
        if len(found) > MOST_MEMBERS:
            key = printable(_split(member)[0])
            raise tarfile.ReadError(
                f"over {MOST_MEMBERS} members have the key {key:.100}, which ends at the first dot "
                "of their names; pack them under other names"
            )
    return list(found.values())


def _split(member: tarfile.TarInfo) -> tuple[str, str]:
    """Key and ending: `a.b/0.input.jpg` → `a.b/0`, `input.jpg`."""
    folder, slash, name = member.name.rpartition("/")
    key, _, ending = name.partition(".")
    return f"{folder}{slash}{key}", ending.lower()


def photographs(endings: Sequence[str], wanted: Sequence[str]) -> list[str] | None:
    """Which images of a sample are its photographs; None if that has to be asked.

    Args:
        endings: of the images, what follows the first dot: `jpg`, `target.png`.
        wanted: endings or patterns as of a shell, `target.*`. All images that fit the first one
            which any image fits are photographs; if nothing fits, none is. Empty: a single image
            is the photograph, and of several the single one without another dot, as `jpg` is
            beside `mask.png`.
    """
    if wanted:
        fitting = ([e for e in endings if fnmatchcase(e, name.lower())] for name in wanted)
        return next(filter(None, fitting), [])
    plain = [ending for ending in endings if "." not in ending]
    if len(endings) <= 1:
        return list(endings)
    return plain if len(plain) == 1 else None


class _Sample:
    """The members of one key."""

    def __init__(
        self,
        file: BinaryIO,
        tar: str,
        key: str,
        sample: Sequence[tarfile.TarInfo],
        options: SourceOptions,
    ) -> None:
        self._file, self._tar, self._key, self._options = file, tar, key, options
        self._members = [(_split(member)[1], member) for member in sample]
        self._beside = {e: m for e, m in self._members if e.rpartition(".")[2] in _BESIDE}
        self._used: set[str] = set()

    def rows(self) -> Iterator[SourceRow]:
        """The photographs; what is not used is counted."""
        images = [ending for ending, _ in self._members if _is_image(ending)]
        self._check_not_own(images)
        chosen = photographs(images, self._options.member)
        if chosen is None:
            raise ValueError(self._question(images))
        for ending, member in self._members:
            if ending in chosen:
                yield self._row(member, ending)
        for ending, member in self._members:
            if ending not in chosen and ending not in self._used:
                self._pass_over(ending, member, any_image=bool(chosen))

    def _row(self, member: tarfile.TarInfo, ending: str) -> SourceRow:
        facts, problem = self._facts(ending)
        caption = self._caption(ending) or facts.get("caption")
        uri = f"{self._tar}!{member.name}"
        return SourceRow(
            uri=printable(uri),
            source_id=own_id(uri),
            dataset=optional(facts.get("dataset")),
            degradation=optional(facts.get("degradation")),
            caption=optional(caption),
            split=optional(facts.get("split")),
            offset=member.offset_data,
            # What a link or a sparse file says of its size is true of something else.
            size=0 if oddity(member) else member.size,
            problem=_problem(self._tar, member) or problem,
        )

    def _of(self, ending: str, kind: str) -> Iterator[tarfile.TarInfo]:
        """What belongs to all images of the sample, then what to this one alone."""
        stem = ending.rpartition(".")[0]
        for name in dict.fromkeys((kind, f"{stem}.{kind}" if stem else kind)):
            if name in self._beside:
                self._used.add(name)
                yield self._beside[name]

    def _facts(self, ending: str) -> tuple[dict[str, Any], str | None]:
        facts: dict[str, Any] = {}
        for member in self._of(ending, "json"):
            more, problem = _facts(self._file, member)
            if problem:
                return {}, problem
            self._ask_about(member, more)
            facts |= more
        return facts, None

    def _caption(self, ending: str) -> str | None:
        caption = None
        for member in self._of(ending, "txt"):
            try:
                text = _text(self._file, member).decode("utf-8-sig").strip()
                caption = text or caption
            except ValueError:
                self._count("captions that cannot be read", member.name)
        return caption

    def _ask_about(self, member: tarfile.TarInfo, facts: dict[str, Any]) -> None:
        for name in facts:
            if near := near_column(name, FACTS - facts.keys()):
                shown = f"{name!r:.40} in {member.name}, did you mean {near!r}?"
                self._count("facts of unknown name", shown)

    def _check_not_own(self, images: Sequence[str]) -> None:
        parts = {ending.partition(".")[0] for ending in images}
        if self._options.own_output or not parts >= {"gt", "lq"} or "json" not in self._beside:
            return
        facts, _ = _facts(self._file, self._beside["json"])
        if is_own_pair(facts):
            raise ValueError(refusal(self._tar, "a shard of a dataset"))

    def _question(self, images: Sequence[str]) -> str:
        last = sorted(images)[-1]
        return (
            f"{printable(self._tar)}: several images have the key {printable(self._key)!r:.100}: "
            f"{', '.join(printable(ending) for ending in images[:5])}{', …' * (len(images) > 5)}. "
            "Say which are photographs by what follows the first dot of their names: --member "
            f"{printable(last)}, or --member '*' if all of them are"
        )

    def _pass_over(self, ending: str, member: tarfile.TarInfo, *, any_image: bool) -> None:
        kind = f".{ending}" if ending else "no ending"
        alone = ending in self._beside and not any_image
        self._count(f"{kind} of no photograph" if alone else kind, member.name)

    def _count(self, kind: str, name: str) -> None:
        self._options.passed_over.add(kind, f"{self._tar}!{name}")


def _is_image(ending: str) -> bool:
    return f".{ending.rpartition('.')[2]}" in IMAGE_SUFFIXES


def _problem(tar: str, member: tarfile.TarInfo) -> str | None:
    if odd := oddity(member):
        return f"it is {odd}; pack the photograph itself"
    if leads_out(member):
        return "its name leads outside the tar; pack it again under a plain name"
    # A member is found by its offset: a name that is not UTF-8 does not matter, the tar's does.
    return path_problem(tar) or control_problem(member.name)


def _facts(file: BinaryIO, member: tarfile.TarInfo) -> tuple[dict[str, Any], str | None]:
    """What a member says in JSON, and what is wrong with it."""
    name = printable(member.name)
    try:
        facts = json.loads(_text(file, member))
    except (ValueError, RecursionError) as error:
        return {}, f"{name}: expected a JSON object: {error}"
    if not isinstance(facts, dict):
        return {}, f"{name}: expected a JSON object, got a {type(facts).__name__}"
    for fact in sorted(FACTS & facts.keys()):
        if isinstance(facts[fact], (dict, list)):
            return {}, f"{name}: its {fact!r} is a {type(facts[fact]).__name__}; make it text"
    return facts, None


def _text(file: BinaryIO, member: tarfile.TarInfo) -> bytes:
    if odd := oddity(member):
        raise ValueError(f"it is {odd}")
    if member.size > MOST_TEXT:
        raise ValueError(f"{member.size} bytes are over the most of {MOST_TEXT}")
    file.seek(member.offset_data)
    return file.read(member.size)


def optional(value: Any) -> str | None:
    """A fact as text; None where there is none."""
    if value is None or value == "":
        return None
    # JSON can spell half a character, which no storage takes.
    return str(value).encode("utf-8", "backslashreplace").decode()
