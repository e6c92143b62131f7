"""The identity of a dataset: what was asked, of what, by what. Written first, checked on resume."""

from __future__ import annotations

import json
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from blake3 import blake3

from gends.histograms.profile import Profile
from gends.models.identity import compare
from gends.pipeline.catalog import Catalog
from gends.pipeline.catalog_changes import describe_changes
from gends.pipeline.config import BuildConfig
from gends.pipeline.damage import DamageError
from gends.pipeline.manifest import FORMAT_VERSION
from gends.pipeline.parts import open_parts
from gends.pipeline.plan import Plan, count_shards
from gends.pipeline.store import Store, open_store

IDENTITY_NAME = "dataset.json"
PLACES = ("clean", "model", "profile")
"""Settings that say where something lies; its content has a digest of its own."""


_WAY_OUT = "bring the file back from a copy, or make the dataset again under another --out"


class IdentityError(ValueError):
    """A root that holds a different dataset, or none; the message says what differs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Dataset:
    """An opened root: its files, its identity and its plan."""

    store: Store
    config: BuildConfig
    config_digest: str
    base: Path
    plan: Plan


def make_identity(
    config: BuildConfig,
    catalog: Catalog,
    profile: Profile,
    engine: dict[str, str] | None,
    base: Path,
) -> dict[str, Any]:
    """Everything that decides the bytes of a dataset, as it stands in `dataset.json`.

    `engine` is None while no engine is loaded: such an identity can be checked, not written.
    """
    identity = {
        "format_version": FORMAT_VERSION,
        "clean": str(base),
        "config": config.model_dump(mode="json", exclude={"clean"}),
        "config_digest": config_digest(config),
        "catalog_digest": catalog.digest,
        "num_shards": count_shards(len(catalog), config),
        "profile_digest": profile.digest,
        "engine": engine,
        "versions": {name: version(name) for name in _deciding(config)},
    }
    return identity | {"identity_digest": _identity_digest(identity)}


def _deciding(config: BuildConfig) -> tuple[str, ...]:
    """Packages that have a say in the bytes."""
    always = ("gends", "numpy", "pillow", "opencv-python-headless", "pyarrow", "fpng")
    return (*always, "pyiqa", "torch") if config.filter.metrics else always


def config_digest(config: BuildConfig) -> str:
    """Digest of the settings that decide the bytes; where things lie is not one."""
    return _settings_digest(config.model_dump(mode="json"))


def _settings_digest(settings: dict[str, Any]) -> str:
    return _digest({name: value for name, value in settings.items() if name not in PLACES})


def _identity_digest(identity: dict[str, Any]) -> str:
    """Digest of an identity; its settings count by their own digest, and places do not."""
    apart = ("identity_digest", "config", "clean")
    return _digest({name: value for name, value in identity.items() if name not in apart})


def _digest(values: dict[str, Any]) -> str:
    return blake3(json.dumps(values, sort_keys=True).encode()).hexdigest()


def check_identity(
    store: Store,
    identity: dict[str, Any],
    *,
    catalog: Catalog | None = None,
    versions: bool = True,
) -> None:
    """Compare with the identity under the root.

    Given the identity's `catalog`, it is said how that differs from the root's. Without `versions`
    those of libraries do not count: nothing more is going to be made.

    Raises:
        IdentityError: something that decides the bytes differs; each difference is named.
    """
    known = read_identity(store)
    # Digests and number repeat the rest. Things may move: what they hold is compared.
    ignored = {"config_digest", "identity_digest", "num_shards", "clean"}
    ignored |= {f"config.{name}" for name in PLACES}
    ignored |= set() if catalog is None else {"catalog_digest"}  # said in words
    ignored |= {"engine"} if identity["engine"] is None else set()
    ignored |= set() if versions else {f"versions.{name}" for name in identity["versions"]}
    differences = [
        f"  {name}: the root has {old!r}, this command has {new!r}"
        for name, old, new in compare(known, identity)
        if name not in ignored
    ]
    if catalog is not None and catalog.digest != known["catalog_digest"]:
        changes = _changes(store, known, catalog)
        differences.append(f"  photographs were added, removed or changed: {changes}")
    if differences:
        raise IdentityError(
            f"{store.url} holds another dataset:\n"
            + "\n".join(differences)
            + "\nRepeat the root's own settings to resume it, or name a new --out folder."
        )


def _changes(store: Store, known: dict[str, Any], catalog: Catalog) -> str:
    try:
        old, _ = open_parts(store, known["catalog_digest"], known["profile_digest"])
        return describe_changes(old, catalog)
    except DamageError as error:
        return f"what changed cannot be said: {error}"


def write_identity(store: Store, identity: dict[str, Any]) -> None:
    """Found a root: create-only."""
    with store.publish(IDENTITY_NAME, create_only=True) as file:
        file.write(json.dumps(identity, indent=1, sort_keys=True).encode() + b"\n")


def open_dataset(root: Path | str) -> Dataset:
    """Open a root that a build founded.

    Raises:
        IdentityError: there is no dataset, or its format is another.
        DamageError: its identity, catalog or profile is missing, damaged or changed.
        StorageError: the store does not answer, or the temporary folder is full.
    """
    store = open_store(root)
    identity = read_identity(store)
    config = BuildConfig.model_validate(identity["config"])
    catalog, profile = open_parts(store, identity["catalog_digest"], identity["profile_digest"])
    return Dataset(
        store=store,
        config=config,
        config_digest=identity["config_digest"],
        base=Path(identity["clean"]),
        plan=Plan(catalog, config, profile),
    )


def read_identity(store: Store) -> dict[str, Any]:
    """What stands in a root's `dataset.json`.

    Raises:
        IdentityError: it is not there, or of another format.
        DamageError: it is damaged, or was edited.
    """
    try:
        identity = json.loads(store.read(IDENTITY_NAME))
    except FileNotFoundError:
        raise IdentityError(
            f"{store.url}: no {IDENTITY_NAME} here, so no dataset; is the path right?"
        ) from None
    except ValueError as error:
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


def _check_unchanged(store: Store, identity: dict[str, Any]) -> None:
    settings, changed = identity.get("config"), []
    digest = _settings_digest(settings) if isinstance(settings, dict) else None
    if digest is None or digest != identity.get("config_digest"):
        changed.append("config")
    if _identity_digest(identity) != identity.get("identity_digest"):
        changed.append("versions, engine, digests or num_shards")
    if changed:
        raise DamageError(
            f"{store.where(IDENTITY_NAME)}: damaged, or edited by hand ({' and '.join(changed)}): "
            f"going on would mix two datasets; {_WAY_OUT}"
        )
