"""The identity of a dataset, `dataset.json`: what was asked, of what, by what. Written first.

Apart from what makes and compares it (`dataset.py`), because readers load this and no more.
"""

from __future__ import annotations

import json
from typing import Any

from blake3 import blake3

from gends.pipeline.format.damage import DamageError
from gends.pipeline.format.manifest import FORMAT_VERSION
from gends.pipeline.storage.store import StorageError, Store

IDENTITY_NAME = "dataset.json"
PLACES = ("clean", "member", "model", "profile")
"""Settings that say where something lies; its content has a digest of its own."""
IN_CATALOG = ("clean", "member")
"""Those of `PLACES` whose outcome stands in the catalog, and which nothing asks for again."""

_WAY_OUT = "bring the file back from a copy, or make the dataset again under another --out"


class IdentityError(ValueError):
    """A root that holds a different dataset, or none; the message says what differs."""


def settings_digest(settings: dict[str, Any]) -> str:
    """Digest of the settings that decide the bytes; where things lie is not one."""
    return _digest({name: value for name, value in settings.items() if name not in PLACES})


def identity_digest(identity: dict[str, Any]) -> str:
    """Digest of an identity; its settings count by their own digest, and places do not."""
    apart = ("identity_digest", "config", "clean")
    return _digest({name: value for name, value in identity.items() if name not in apart})


def _digest(values: dict[str, Any]) -> str:
    return blake3(json.dumps(values, sort_keys=True).encode()).hexdigest()


def write_identity(store: Store, identity: dict[str, Any]) -> None:
    """Found a root: create-only."""
    with store.publish(IDENTITY_NAME, create_only=True) as file:
        file.write(json.dumps(identity, indent=1, sort_keys=True).encode() + b"\n")


def read_identity(store: Store) -> dict[str, Any]:
    """What stands in a root's `dataset.json`.

    Raises:
        IdentityError: it is not there, or of another format.
        DamageError: it is damaged, or was edited.
    """
    try:
        identity = json.loads(store.read(IDENTITY_NAME))
    except (FileNotFoundError, NotADirectoryError):
        raise IdentityError(
            f"{store.url}: no {IDENTITY_NAME} here, so no dataset; is the path right?"
        ) from None
    except (ValueError, RecursionError) as error:
        raise DamageError(f"{store.where(IDENTITY_NAME)}: not JSON; {_WAY_OUT}") from error
    if not isinstance(identity, dict):
        raise DamageError(f"{store.where(IDENTITY_NAME)}: not a dataset's; {_WAY_OUT}")
    if identity.get("format_version") != FORMAT_VERSION:
        raise IdentityError(
            f"{store.where(IDENTITY_NAME)}: format version {identity.get('format_version')!r:.20}, "
            f"this gends reads {FORMAT_VERSION}; install the gends that wrote it"
        )
    _check_unchanged(store, identity)
    return identity


def check_there(store: Store) -> None:
    """Tell a dataset that is there no more from one that lost a file.

    Raises:
        StorageError: the root that was opened has no identity now.
    """
    if not store.exists(IDENTITY_NAME):
        raise StorageError(
            f"{store.url}: the dataset that was here is there no more; mount its disk again, or "
            "see who moved it"
        )


def _check_unchanged(store: Store, identity: dict[str, Any]) -> None:
    settings, changed = identity.get("config"), []
    digest = settings_digest(settings) if isinstance(settings, dict) else None
    if digest is None or digest != identity.get("config_digest"):
        changed.append("config")
    if identity_digest(identity) != identity.get("identity_digest"):
        changed.append("versions, engine, digests or num_shards")
    if changed:
        raise DamageError(
            f"{store.where(IDENTITY_NAME)}: damaged, or edited by hand ({' and '.join(changed)}): "
            f"going on would mix two datasets; {_WAY_OUT}"
        )


def labels_of(identity: dict[str, Any]) -> list[str]:
    """The labels that pairs of a dataset may have: its degradations, or its mixtures' names."""
    settings = identity["config"]
    return settings["degradations"] or [one["name"] for one in settings["mixtures"]]
