"""What a plan is made of: configuration, photographs, severity profile. Neither Ray nor torch."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gends.histograms.profile import Profile, load_profile
from gends.pipeline.catalog import Catalog, write_catalog
from gends.pipeline.config import BuildConfig
from gends.pipeline.dataset import (
    CATALOG_NAME,
    IDENTITY_NAME,
    PROFILE_NAME,
    make_identity,
    open_dataset,
    write_identity,
)
from gends.pipeline.plan import Plan
from gends.pipeline.sources import base_folder, read_source
from gends.pipeline.store import Store


@dataclass(frozen=True, slots=True, kw_only=True)
class Inputs:
    """What decides a build before any engine is loaded."""

    config: BuildConfig
    base: Path
    """Folder that the catalog's relative paths start from."""
    catalog: Catalog
    profile: Profile

    @property
    def plan(self) -> Plan:
        """The plan."""
        return Plan(self.catalog, self.config, self.profile)

    def identity(self, engine: dict[str, str] | None) -> dict[str, Any]:
        """Identity of the dataset they make; see `make_identity`."""
        return make_identity(self.config, self.catalog, self.profile, engine, self.base)

    def found(self, store: Store, engine: dict[str, str]) -> None:
        """Write catalog, profile and, last, the identity under a new root."""
        with store.publish(CATALOG_NAME) as file:
            file.write(self.catalog.path.read_bytes())
        self.profile.save(store.path(PROFILE_NAME))
        write_identity(store, self.identity(engine))


def gather(config: BuildConfig, scratch: Path) -> Inputs:
    """Read the source into a catalog in `scratch`, and the severity profile.

    Raises:
        ValueError: no source was named, or it or the profile cannot be read.
    """
    if not config.clean:
        raise ValueError(
            "no photographs named: give --clean FOLDER, or clean: in the configuration"
        )
    source = Path(config.clean)
    path = scratch / CATALOG_NAME
    base = base_folder(source).absolute()
    write_catalog(
        read_source(source),
        path,
        base=base,
        default_dataset=config.clean_dataset or source.absolute().stem,
        default_degradation=config.clean_degradation,
        dedupe=config.dedupe,
        limit=config.limit,
    )
    profile = load_profile(config.profile)
    return Inputs(config=config, base=base, catalog=Catalog(path), profile=profile)


def recall(out: Path) -> Inputs | None:
    """The inputs that a root was founded with, or None where there is no root."""
    if not Store(out).exists(IDENTITY_NAME):
        return None
    dataset = open_dataset(out)
    return Inputs(
        config=dataset.config,
        base=dataset.base,
        catalog=dataset.plan.catalog,
        profile=dataset.plan.profile,
    )
