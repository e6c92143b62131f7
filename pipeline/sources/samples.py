"""Photographs in tar shards, each with the caption and the facts that share its stem."""

from __future__ import annotations

import itertools
import json
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

from gends.pipeline.names import control_problem, own_id, path_problem, printable
from gends.pipeline.sources.tars import leads_out, members, oddity
from gends.pipeline.storage.store import StorageError, usable
from gends.pipeline.types import IMAGE_SUFFIXES, MOST_TEXT, SourceRow


def read_tar(path: Path, root: Path) -> Iterator[SourceRow]:
    """Members sharing a stem belong together: an image, its caption (.txt), its facts (.json).

    A damaged tar gives the samples that are known to be whole, and a row under its own name that
    says what is wrong: of the last sample before the damage nobody knows what more belonged to it.
    A member that is no plain file, or would lead outside, is a row with a problem: nothing is
    unpacked and no link followed.
    """
    uri = path.relative_to(root).as_posix()
    try:
        with usable(path), open(path, "rb") as file:
            for _, sample in itertools.groupby(members(file), key=_stem):
                yield from _sample(file, uri, list(sample))
    except StorageError:
        raise  # it says nothing of the tar
    except (OSError, tarfile.TarError) as error:
        reason = printable(getattr(error, "strerror", None) or str(error))
        yield SourceRow(
            uri=printable(uri),
            source_id=own_id(uri),
            problem=f"the tar cannot be read to its end: {reason}",
        )


def _stem(member: tarfile.TarInfo) -> str:
    return member.name.rpartition(".")[0]


def _suffix(member: tarfile.TarInfo) -> str:
    return f".{member.name.rpartition('.')[2].lower()}"


def _sample(file: BinaryIO, tar: str, sample: list[tarfile.TarInfo]) -> Iterator[SourceRow]:
    beside = {_suffix(member): member for member in sample}
    facts, problem = _facts(file, beside.get(".json"))
    caption = _caption(file, beside.get(".txt")) or facts.get("caption")
    for member in sample:
        if _suffix(member) not in IMAGE_SUFFIXES:
            continue
        uri = f"{tar}!{member.name}"
        yield SourceRow(
            uri=printable(uri),
            source_id=own_id(uri),
            dataset=optional(facts.get("dataset")),
            degradation=optional(facts.get("degradation")),
            caption=optional(caption),
            split=optional(facts.get("split")),
            offset=member.offset_data,
            # What a link or a sparse file says of its size is true of something else.
            size=0 if oddity(member) else member.size,
            problem=_problem(tar, member) or problem,
        )


def _problem(tar: str, member: tarfile.TarInfo) -> str | None:
    if odd := oddity(member):
        return f"it is {odd}; pack the photograph itself"
    if leads_out(member):
        return "its name leads outside the tar; pack it again under a plain name"
    # A member is found by its offset: a name that is not UTF-8 does not matter, the tar's does.
    return path_problem(tar) or control_problem(member.name)


def _facts(file: BinaryIO, member: tarfile.TarInfo | None) -> tuple[dict[str, Any], str | None]:
    """What a member says in JSON, and what is wrong with it."""
    if member is None:
        return {}, None
    try:
        facts = json.loads(_text(file, member))
    except (ValueError, RecursionError) as error:
        return {}, f"{printable(member.name)}: expected a JSON object: {error}"
    if not isinstance(facts, dict):
        kind = type(facts).__name__
        return {}, f"{printable(member.name)}: expected a JSON object, got a {kind}"
    return facts, None


def _caption(file: BinaryIO, member: tarfile.TarInfo | None) -> str | None:
    try:
        return _text(file, member).decode("utf-8-sig").strip() if member else None
    except ValueError:
        return None


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
