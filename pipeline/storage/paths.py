"""What a path or a root's URL may be: one that means what it says, to every library it reaches."""

from __future__ import annotations

import re

from gends.pipeline.storage.credentials import CREDENTIALS, redacted

HOME = re.compile(r"~(/|$)")
"""What a shell replaces, but not after an equals sign, in quotes or in a file."""
ONE_SLASH = re.compile(rf"({'|'.join(kind[:-3] for kind in CREDENTIALS)}|file|https?):/(?!/)", re.I)
MISREAD = re.compile(r"[#?%\x00-\x1f\x7f-\x9f]")
"""Characters that libraries for URLs drop, or end a URL at, or replace."""
PLACES_AT = ("az://", "abfs://", "abfss://")
"""URLs in which CONTAINER@ACCOUNT stands for a bucket."""


def check_path(path: str) -> None:
    """Raise ValueError for a path that does not mean what its writer may think.

    All others stand for themselves: `~name`, `run12:30` and `file:x` are names of files.
    """
    if HOME.match(path):
        raise ValueError(
            f"{path}: no shell has put your home folder in place of '~'; write $HOME{path[1:]}, "
            f"or ./{path} for what is really called so"
        )
    if ONE_SLASH.match(path):
        raise ValueError(
            f"{path}: a URL has two slashes after its colon; "
            f"for a folder of this name write ./{path}"
        )


def check_url(url: str) -> None:
    """Raise ValueError for a URL of a root that would be read as another one, or holds a secret.

    `url` begins with one of `CREDENTIALS`; a slash may end it.
    """
    kind, _, rest = url.removesuffix("/").partition("://")
    bucket, *prefix = rest.split("/")
    if not bucket:
        raise ValueError(f"{redacted(url)}: names no bucket; give {kind}://BUCKET/PREFIX")
    if ":" in bucket or ("@" in bucket and f"{kind}://" not in PLACES_AT):
        raise ValueError(
            f"a URL of {kind}:// names a bucket alone, without user, password or port: give "
            f"{kind}://BUCKET/PREFIX, and credentials by {CREDENTIALS[f'{kind}://']}"
        )
    if found := MISREAD.search(url):
        raise ValueError(
            f"{redacted(url)!r}: {found[0]!r} means something else in a URL; name another prefix"
        )
    if {"", ".", ".."} & set(prefix) or url != url.strip():
        raise ValueError(
            f"{url!r}: a prefix has no parts that are empty, '.' or '..', and no space at its end; "
            "name it as it is listed"
        )
