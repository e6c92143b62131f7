"""Names that others chose: shown without doing harm, and turned into names of our own."""

from __future__ import annotations

import difflib
import re
import reprlib
import unicodedata
from collections.abc import Iterable

from blake3 import blake3

# Control characters, line separators, what turns the direction of writing, and half characters:
# a terminal obeys the first, a log is torn by the second, a reader deceived by the third.
_HARMFUL = re.compile("[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")
_FOREIGN = re.compile("[\udc80-\udcff]")
_MOST_SLUG = 47
_HASH_BYTES = 8
_MOST_HIDDEN = 200
"""Bytes of a name that its hidden form keeps: filesystems take 255 in all."""


def printable(text: str) -> str:
    """The text in one line that is safe to print; what is not is spelled out, as in `\\x1b`."""
    return _HARMFUL.sub(_spell, text)


def _spell(match: re.Match[str]) -> str:
    code = ord(match[0])
    # Bytes of a file name that are not UTF-8 reach Python as these half characters.
    foreign = _FOREIGN.match(match[0])
    return f"\\x{code - 0xDC00:02x}" if foreign else match[0].encode("unicode_escape").decode()


def control_problem(name: str) -> str | None:
    """What is wrong with a name that no terminal should see, if it is one."""
    if _HARMFUL.search(_FOREIGN.sub("", name)):
        return "its name holds control characters; rename it"
    return None


def path_problem(name: str) -> str | None:
    """What is wrong with a path that cannot be stored as text, if it cannot."""
    foreign = "its name is not UTF-8; rename it" if _FOREIGN.search(name) else None
    return control_problem(name) or foreign


def source_id(uri: str) -> str:
    """Stable name of a photograph: what can be read of its path, and a hash of all of it."""
    plain = unicodedata.normalize("NFKD", re.sub(r"\.[^./]*$", "", uri))
    slug = re.sub(r"[^A-Za-z0-9]+", "_", plain.encode("ascii", "ignore").decode()).strip("_")
    # Names end in what tells them apart, so a long path keeps its end.
    end = slug[-_MOST_SLUG:].strip("_") or "image"
    return f"{end}_{blake3(uri.encode('utf-8', 'surrogatepass')).hexdigest(_HASH_BYTES)}"


def hidden_name(name: str, ending: str) -> str:
    """What a file or folder is called until it gets its name: never too long for a filesystem."""
    data = name.encode("utf-8", "surrogateescape")
    if len(data) > _MOST_HIDDEN:
        start = data[:_MOST_HIDDEN].decode("utf-8", "ignore")
        name = f"{start}-{blake3(data).hexdigest(_HASH_BYTES)}"
    return f".{name}.{ending}"


def own_id(uri: str) -> str | None:
    """The `source_id` of a name that has to be spelled out: two may be spelled out alike."""
    return None if printable(uri) == uri else source_id(uri)


def unknown(name: str, known: Iterable[str], what: str = "key") -> str:
    """That `name` is none, with the nearest that is one, or with all."""
    hint = nearest(name, known) or f"known: {', '.join(known)}"
    return f"unknown {what} {reprlib.repr(name)}; {hint}"


def nearest(name: str, known: Iterable[str]) -> str | None:
    """Which of the known ones `name` may have meant, as a question; None if no one is near."""
    near = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
    return f"did you mean {near[0]!r}?" if near else None
