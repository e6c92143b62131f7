"""What decides the bytes of a dataset: made and compared; and datasets, opened by it."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from gends.models.identity import compare
from gends.models.processor import PROCESSOR, of_processor
from gends.pipeline.format.damage import DamageError
from gends.pipeline.format.identity import (
    IN_CATALOG,
    PLACES,
    IdentityError,
    identity_digest,
    read_identity,
    settings_digest,
)
from gends.pipeline.format.manifest import FORMAT_VERSION
from gends.pipeline.keeping.parts import open_parts
from gends.pipeline.photographs.catalog import Catalog
from gends.pipeline.photographs.catalog_changes import describe_changes
from gends.pipeline.planning.config import BuildConfig
from gends.pipeline.planning.plan import Plan
from gends.pipeline.storage.opening import open_store
from gends.pipeline.storage.store import Store

_OTHER_PHOTOGRAPHS = (
    "\nTo finish it with the photographs that it was begun with, give --out alone: those that are "
    "gone get failed rows, and what was added is left out."
)
_ON_ANOTHER_PROCESSOR = (
    " Another processor rounds in another way: --mixed-processors goes on with it, and the pairs "
    "that are made now then differ in last bits from those that the root's own would make."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Dataset:
    """An opened root: its files, its identity and its plan."""

    store: Store
    config: BuildConfig
    config_digest: str
    base: Path
    plan: Plan


def make_identity(plan: Plan, engine: dict[str, str] | None, base: Path) -> dict[str, Any]:
    """Everything that decides the bytes of a dataset, as it stands in `dataset.json`.

    `engine` is None while no engine is loaded: such an identity can be checked, not written.
    """
    config = plan.config
    identity = {
        "format_version": FORMAT_VERSION,
        "clean": str(base),
        "config": config.model_dump(mode="json", exclude=set(IN_CATALOG)),
        "config_digest": config_digest(config),
        "catalog_digest": plan.catalog.digest,
        "num_shards": plan.num_shards,
        "profile_digest": plan.profile.digest,
        "engine": engine,
        "versions": {name: version(name) for name in _deciding(config)},
    }
    return identity | {"identity_digest": identity_digest(identity)}


def _deciding(config: BuildConfig) -> tuple[str, ...]:
    """Packages that have a say in the bytes."""
    always = ("gends", "numpy", "pillow", "opencv-python-headless", "pyarrow", "fpng")
    return (*always, "pyiqa", "torch") if config.filter.metrics else always


def config_digest(config: BuildConfig) -> str:
    """Digest of the settings that decide the bytes; where things lie is not one."""
    return settings_digest(config.model_dump(mode="json"))


def check_identity(
    store: Store,
    identity: dict[str, Any],
    *,
    catalog: Catalog | None = None,
    versions: bool = True,
    processors: bool = True,
) -> None:
    """Compare with the identity under the root.

    Given the identity's `catalog`, it is said how that differs from the root's. Without `versions`
    those of libraries do not count: nothing more is going to be made. Without `processors` another
    one does not count.

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
        if name not in ignored and (processors or not of_processor(name.removeprefix("engine.")))
    ]
    other_processor = any(line.startswith(f"  engine.{PROCESSOR}") for line in differences)
    changed = catalog is not None and catalog.digest != known["catalog_digest"]
    if catalog is not None and changed:
        changes = _changes(store, known, catalog)
        differences.append(f"  photographs were added, removed or changed: {changes}")
    if differences:
        raise IdentityError(
            f"{store.url} holds another dataset:\n"
            + "\n".join(differences)
            + "\nRepeat the root's own settings to resume it, or name a new --out folder."
            + _OTHER_PHOTOGRAPHS * changed
            + _ON_ANOTHER_PROCESSOR * other_processor
        )


def _changes(store: Store, known: dict[str, Any], catalog: Catalog) -> str:
    try:
        old, _ = open_parts(store, known["catalog_digest"], known["profile_digest"])
        return describe_changes(old, catalog)
    except DamageError as error:
        return f"what changed cannot be said: {error}"


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
