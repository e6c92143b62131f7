"""What a dataset was founded with beside its identity: the catalog and the severity profile."""

from __future__ import annotations

import contextlib
import shutil
import weakref
from collections.abc import Callable
from typing import TypeVar

from gends.histograms.profile import Profile
from gends.pipeline.format.damage import DamageError
from gends.pipeline.names import printable
from gends.pipeline.photographs.catalog import Catalog
from gends.pipeline.storage.store import StorageError, Store

CATALOG_NAME = "catalog.parquet"
PROFILE_NAME = "severity_profile.json"
Part = TypeVar("Part", Catalog, Profile)


def open_parts(store: Store, catalog_digest: str, profile_digest: str) -> tuple[Catalog, Profile]:
    """The catalog and the profile of a root, as recorded in its identity.

    Raises:
        DamageError: one is missing, damaged or another.
        StorageError: the store does not answer, or the temporary folder is full.
    """
    catalog = _open(store, CATALOG_NAME, _open_catalog, catalog_digest)
    return catalog, _open(store, PROFILE_NAME, _open_profile, profile_digest)


def write_parts(store: Store, catalog: Catalog, profile: Profile) -> None:
    """Write catalog and profile under a root that is to be founded."""
    with store.publish(CATALOG_NAME) as file, open(catalog.path, "rb") as rows:
        shutil.copyfileobj(rows, file)
    with store.publish(PROFILE_NAME) as file:
        file.write(profile.encode())


def mend_parts(store: Store, catalog: Catalog, profile: Profile) -> None:
    """Write catalog and profile again where they are lost or damaged.

    They must be those that the root was founded with: see `check_identity`.
    """
    try:
        found, _ = open_parts(store, catalog.digest, profile.digest)
        found.check()
    except DamageError:
        write_parts(store, catalog, profile)


def _open(store: Store, name: str, load: Callable[[Store], Part], digest: str) -> Part:
    try:
        part = load(store)
        what = "not the one that the dataset was founded with"
    except StorageError:
        raise  # nothing is wrong with it
    except FileNotFoundError:
        part, what = None, "lost"
    except (OSError, ValueError) as error:
        part, what = None, f"unreadable: {printable(str(error))}"
    if part is None or part.digest != digest:
        raise DamageError(
            f"{store.where(name)}: {what}; bring it back from a copy, or have it written again by "
            f"the command that began the dataset: gends-build run --clean ... --out {store.url}"
        )
    return part


def _open_profile(store: Store) -> Profile:
    with store.local_copy(PROFILE_NAME) as path:
        return Profile.load(path)


def _open_catalog(store: Store) -> Catalog:
    copy = contextlib.ExitStack()
    try:
        catalog = Catalog(copy.enter_context(store.local_copy(CATALOG_NAME)))
    except BaseException:
        copy.close()
        raise
    weakref.finalize(catalog, copy.close)
    return catalog
