"""Photographs in a folder tree, with the captions beside them."""

from __future__ import annotations

import dataclasses
import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from gends.pipeline.names import own_id, path_problem, printable
from gends.pipeline.sources.own_output import made_in, refusal
from gends.pipeline.sources.passed_over import ending, is_hidden
from gends.pipeline.sources.samples import read_tar
from gends.pipeline.sources.source_options import SourceOptions
from gends.pipeline.storage.store import StorageError, usable
from gends.pipeline.types import IMAGE_SUFFIXES, MOST_TEXT, SourceRow


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """What the photographs of a source must not leave: its folder, unless that is allowed."""

    real: str
    outside: bool

    def leads_out(self, path: Path) -> bool:
        """Whether a path ends elsewhere, links followed."""
        if self.outside:
            return False
        real = os.path.realpath(path)
        return real != self.real and not real.startswith(self.real.rstrip("/") + "/")

    def problem(self, what: str, path: Path) -> str | None:
        """What is wrong with a path that leads out, if it does."""
        if not self.leads_out(path):
            return None
        # Where to is not said: it would differ wherever the same photographs lie.
        return f"{what} leads outside the source's folder; copy it there, or allow it: --outside"


def read_folder(root: Path, bounds: Bounds, options: SourceOptions) -> Iterator[SourceRow]:
    """Yield the photographs under a folder and in its tars; other files are counted.

    Raises:
        ValueError: gends made what lies in it, or a question is to be answered; see `read_tar`.
        OSError: a folder cannot be read; the text names the folder.
    """
    pending = [(root, frozenset([bounds.real]))]
    while pending:
        folder, above = pending.pop()
        if not options.own_output and (made := made_in(str(folder))):
            raise ValueError(refusal(printable(str(folder)), made))
        texts = _Texts(folder)
        try:
            with usable(folder), os.scandir(folder) as entries:
                for entry in entries:
                    path = Path(entry.path)
                    problem = bounds.problem("its link", path) if entry.is_symlink() else None
                    if is_hidden(entry.name):
                        options.passed_over.add("hidden", _name(path, root))
                    elif not _is_folder(entry):
                        yield from _file(path, root, problem, bounds, options, texts)
                    elif problem:
                        yield _file_row(path, root, problem)
                    elif (real := os.path.realpath(path)) not in above:  # or round for ever
                        pending.append((path, above | {real}))
                texts.count(root, options)
        except StorageError:
            raise  # it says nothing of the folder
        except OSError as error:
            raise OSError(
                f"{printable(str(folder))}: {error.strerror}; make it readable or move it"
            ) from error


def named(row: SourceRow, problem: str | None) -> SourceRow:
    """The row with a `uri` that is safe to print."""
    own = row.source_id or own_id(row.uri)
    return dataclasses.replace(row, uri=printable(row.uri), source_id=own, problem=problem)


def _is_folder(entry: os.DirEntry[str]) -> bool:
    # On a link to itself DirEntry.is_dir() raises, and os.path.isdir() does not.
    return os.path.isdir(entry) if entry.is_symlink() else entry.is_dir()


def _file(
    path: Path,
    root: Path,
    problem: str | None,
    bounds: Bounds,
    options: SourceOptions,
    texts: _Texts,
) -> Iterator[SourceRow]:
    suffix = path.suffix.lower()
    if suffix in IMAGE_SUFFIXES:
        beside = path.with_suffix(".txt")
        if problem is None and beside.is_symlink():
            problem = bounds.problem("the link of its caption", beside)
        caption = texts.caption(beside, _name(beside, root), options) if problem is None else None
        yield _file_row(path, root, problem, caption)
    elif suffix == ".tar":
        yield from [_file_row(path, root, problem)] if problem else read_tar(path, root, options)
    elif suffix == ".txt":
        texts.found += 1
    else:
        options.passed_over.add(ending(path.name), _name(path, root))


def _file_row(path: Path, root: Path, problem: str | None, caption: str | None = None) -> SourceRow:
    name = _name(path, root)
    return named(SourceRow(uri=name, caption=caption), path_problem(name) or problem)


def _name(path: Path, root: Path) -> str:
    return path.relative_to(root).as_posix()


class _Texts:
    """The `.txt` files of one folder: captions of photographs, and others."""

    def __init__(self, folder: Path) -> None:
        self.found = 0
        self._folder = folder
        self._used = 0

    def caption(self, path: Path, name: str, options: SourceOptions) -> str | None:
        """The text of a caption; one that cannot be read is counted."""
        try:
            with usable(path):
                facts = path.stat()
        except StorageError:
            raise
        except OSError:
            return None
        self._used += 1
        try:
            # Reading what is no file, or has no end, could last for ever.
            if stat.S_ISREG(facts.st_mode) and facts.st_size <= MOST_TEXT:
                with usable(path):
                    return path.read_text(encoding="utf-8-sig").strip() or None
        except StorageError:
            raise
        except (OSError, ValueError):
            pass
        options.passed_over.add("captions that cannot be read", name)
        return None

    def count(self, root: Path, options: SourceOptions) -> None:
        """Count the texts that are no captions, when the folder has been read to its end."""
        left = self.found - self._used
        if left <= 0:
            return
        for name in os.listdir(self._folder):
            path = self._folder / name
            is_text = path.suffix.lower() == ".txt" and not is_hidden(name)
            if left and is_text and not _has_photograph(path):
                options.passed_over.add(".txt of no photograph", _name(path, root))
                left -= 1
        if left:
            options.passed_over.add(".txt of no photograph", _name(self._folder, root), left)


def _has_photograph(text: Path) -> bool:
    endings = (*IMAGE_SUFFIXES, *(suffix.upper() for suffix in IMAGE_SUFFIXES))
    return any(os.path.lexists(text.with_suffix(suffix)) for suffix in endings)
