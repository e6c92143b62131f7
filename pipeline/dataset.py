"""The identity of a dataset: what was asked, of what, by what. Written first, checked on resume."""

from __future__ import annotations

import contextlib
import json
import weakref
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from blake3 import blake3

from gends.histograms.profile import Profile
from gends.models.identity import compare
from gends.pipeline.catalog import Catalog
from gends.pipeline.config import BuildConfig
from gends.pipeline.manifest import FORMAT_VERSION
from gends.pipeline.plan import Plan, count_shards
from gends.pipeline.store import StorageError, Store, open_store

IDENTITY_NAME = "dataset.json"
CATALOG_NAME = "catalog.parquet"
PROFILE_NAME = "severity_profile.json"
PLACES = ("clean", "model", "profile")
"""Settings that say where something lies; its content has a digest of its own."""


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
    return {
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


def _deciding(config: BuildConfig) -> tuple[str, ...]:
    """Packages that have a say in the bytes."""
    always = ("gends", "numpy", "pillow", "opencv-python-headless", "pyarrow", "fpng")
    return (*always, "pyiqa", "torch") if config.filter.metrics else always


def config_digest(config: BuildConfig) -> str:
    """Digest of the settings that decide the bytes; where things lie is not one."""
    settings = config.model_dump(mode="json", exclude=set(PLACES))
    return blake3(json.dumps(settings, sort_keys=True).encode()).hexdigest()


def check_identity(store: Store, identity: dict[str, Any], *, versions: bool = True) -> None:
    """Compare with the identity under the root.

    Without `versions` those of libraries do not count: nothing more is going to be made.

    Raises:
        IdentityError: something that decides the bytes differs; each difference is named.
    """
    known = read_identity(store)
    # Digest and number repeat the settings. Things may move: what they hold is compared.
    ignored = {"config_digest", "num_shards", "clean", *(f"config.{name}" for name in PLACES)}
    ignored |= {"engine"} if identity["engine"] is None else set()
    ignored |= set() if versions else {f"versions.{name}" for name in identity["versions"]}
    differences = [
        f"  {name}: the root has {old!r}, this command has {new!r}"
        for name, old, new in compare(known, identity)
        if name not in ignored
    ]
    if differences:
        raise IdentityError(
            f"{store.url} holds another dataset:\n"
            + "\n".join(differences)
            + "\nRepeat the root's own settings to resume it, or name a new --out folder."
        )


def write_identity(store: Store, identity: dict[str, Any]) -> None:
    """Found a root: create-only."""
    with store.publish(IDENTITY_NAME, create_only=True) as file:
        file.write(json.dumps(identity, indent=1, sort_keys=True).encode() + b"\n")


def open_dataset(root: Path | str) -> Dataset:
    """Open a root that a build founded.

    Raises:
        IdentityError: there is no dataset, its format is another, or its catalog or profile is
            missing or changed.
        StorageError: the store does not answer, or the temporary folder is full.
    """
    store = open_store(root)
    identity = read_identity(store)
    if identity.get("format_version") != FORMAT_VERSION:
        raise IdentityError(
            f"{root}: format version {identity.get('format_version')}, this gends reads "
            f"{FORMAT_VERSION}; install the gends that wrote it"
        )
    config = BuildConfig.model_validate(identity["config"])
    try:
        catalog = _open_catalog(store)
        with store.local_copy(PROFILE_NAME) as path:
            profile = Profile.load(path)
    except StorageError:
        raise  # nothing is wrong with them
    except (OSError, ValueError) as error:
        raise IdentityError(f"{root}: catalog or severity profile unreadable: {error}") from error
    for name, digest in (("catalog", catalog.digest), ("profile", profile.digest)):
        if digest != identity[f"{name}_digest"]:
            raise IdentityError(f"{root}: the {name} is not the one the dataset was founded with")
    return Dataset(
        store=store,
        config=config,
        config_digest=identity["config_digest"],
        base=Path(identity["clean"]),
        plan=Plan(catalog, config, profile),
    )


def _open_catalog(store: Store) -> Catalog:
    copy = contextlib.ExitStack()
    try:
        catalog = Catalog(copy.enter_context(store.local_copy(CATALOG_NAME)))
    except BaseException:
        copy.close()
        raise
    weakref.finalize(catalog, copy.close)
    return catalog


def read_identity(store: Store) -> dict[str, Any]:
    """What stands in a root's `dataset.json`.

    Raises:
        IdentityError: it is not there, or not a dataset's.
    """
    try:
        identity = json.loads(store.read(IDENTITY_NAME))
    except FileNotFoundError:
        raise IdentityError(
            f"{store.url}: no {IDENTITY_NAME} here, so no dataset; is the path right?"
        ) from None
    except ValueError as error:
        raise IdentityError(f"{store.where(IDENTITY_NAME)}: not JSON: {error}") from error
    if not isinstance(identity, dict):
        raise IdentityError(f"{store.where(IDENTITY_NAME)}: not the identity of a dataset")
    return identity
