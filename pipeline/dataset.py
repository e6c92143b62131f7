"""The identity of a dataset: what was asked, of what, by what. Written first, checked on resume."""

from __future__ import annotations

import json
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from blake3 import blake3

from gends.histograms.profile import Profile
from gends.pipeline.catalog import Catalog
from gends.pipeline.config import BuildConfig
from gends.pipeline.manifest import FORMAT_VERSION
from gends.pipeline.plan import Plan
from gends.pipeline.store import Store

IDENTITY_NAME = "dataset.json"
CATALOG_NAME = "catalog.parquet"
PROFILE_NAME = "severity_profile.json"


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
        "config": _settings(config),
        "config_digest": config_digest(config),
        "catalog_digest": catalog.digest,
        "profile_digest": profile.digest,
        "engine": engine,
        "versions": {
            name: version(name)
            for name in ("gends", "numpy", "pillow", "opencv-python-headless", "pyarrow", "fpng")
        },
    }


def config_digest(config: BuildConfig) -> str:
    """Digest of the settings that decide the bytes; where the photographs lie is not one."""
    return blake3(json.dumps(_settings(config), sort_keys=True).encode()).hexdigest()


def _settings(config: BuildConfig) -> dict[str, Any]:
    return config.model_dump(mode="json", exclude={"clean"})


def check_identity(store: Store, identity: dict[str, Any]) -> None:
    """Compare with the identity under the root.

    Raises:
        IdentityError: something that decides the bytes differs; each difference is named.
    """
    known = _read_identity(store)
    # The digest only repeats the configuration; photographs may move, their list is compared.
    ignored = {"config_digest", "clean"} | ({"engine"} if identity["engine"] is None else set())
    differences = [
        f"  {name}: the root has {old!r}, this command has {new!r}"
        for name, old, new in _differences(known, identity)
        if name not in ignored
    ]
    if differences:
        raise IdentityError(
            f"{store.root} holds another dataset:\n"
            + "\n".join(differences)
            + "\nRepeat the root's own settings to resume it, or name a new --out folder."
        )


def write_identity(store: Store, identity: dict[str, Any]) -> None:
    """Found a root: create-only."""
    with store.publish(IDENTITY_NAME, create_only=True) as file:
        file.write(json.dumps(identity, indent=1, sort_keys=True).encode() + b"\n")


def open_dataset(root: Path) -> Dataset:
    """Open a root that a build founded.

    Raises:
        IdentityError: there is no dataset, its format is another, or its catalog or profile is
            missing or changed.
    """
    store = Store(root)
    identity = _read_identity(store)
    if identity.get("format_version") != FORMAT_VERSION:
        raise IdentityError(
            f"{root}: format version {identity.get('format_version')}, this gends reads "
            f"{FORMAT_VERSION}; install the gends that wrote it"
        )
    config = BuildConfig.model_validate(identity["config"])
    try:
        catalog = Catalog(store.path(CATALOG_NAME))
        profile = Profile.load(store.path(PROFILE_NAME))
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


def _read_identity(store: Store) -> dict[str, Any]:
    try:
        identity = json.loads(store.path(IDENTITY_NAME).read_bytes())
    except FileNotFoundError:
        raise IdentityError(
            f"{store.root}: no {IDENTITY_NAME} here, so no dataset; is the path right?"
        ) from None
    except ValueError as error:
        raise IdentityError(f"{store.path(IDENTITY_NAME)}: not JSON: {error}") from error
    if not isinstance(identity, dict):
        raise IdentityError(f"{store.path(IDENTITY_NAME)}: not the identity of a dataset")
    return identity


def _differences(old: Any, new: Any, name: str = "") -> list[tuple[str, Any, Any]]:
    if isinstance(old, dict) and isinstance(new, dict):
        keys = sorted(old.keys() | new.keys())
        prefix = f"{name}." if name else ""
        return [
            found
            for key in keys
            for found in _differences(old.get(key), new.get(key), f"{prefix}{key}")
        ]
    return [] if old == new else [(name, old, new)]
