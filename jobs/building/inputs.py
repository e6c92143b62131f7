"""What a plan is made of: configuration, photographs, severity profile. Neither Ray nor torch."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from gends.histograms.profile import Profile, load_profile
from gends.pipeline.format.identity import IDENTITY_NAME, read_identity, write_identity
from gends.pipeline.keeping.dataset import Dataset, make_identity, open_dataset
from gends.pipeline.keeping.parts import CATALOG_NAME, write_parts
from gends.pipeline.photographs.catalog import Catalog, NoPhotographsError, write_catalog
from gends.pipeline.planning.config import BuildConfig
from gends.pipeline.planning.plan import Plan
from gends.pipeline.sources.passed_over import PassedOver
from gends.pipeline.sources.source import SourceError, base_folder, read_source
from gends.pipeline.storage.store import Store


@dataclass(frozen=True, kw_only=True)
class Inputs:
    """What decides a build before any engine is loaded."""

    config: BuildConfig
    base: Path
    """Folder that the catalog's relative paths start from."""
    catalog: Catalog
    profile: Profile
    passed_over: PassedOver = field(default_factory=PassedOver)
    """What the source holds beside photographs, where it was read."""

    @cached_property
    def plan(self) -> Plan:
        """The plan."""
        return Plan(self.catalog, self.config, self.profile)

    def identity(self, engine: dict[str, str] | None) -> dict[str, Any]:
        """Identity of the dataset they make; see `make_identity`."""
        return make_identity(self.plan, engine, self.base)

    def found(self, store: Store, engine: dict[str, str]) -> None:
        """Write catalog, profile and, last, the identity under a new root."""
        write_parts(store, self.catalog, self.profile)
        write_identity(store, self.identity(engine))


def gather(config: BuildConfig, scratch: Path, root: Store | None = None) -> Inputs:
    """Read the source into a catalog in `scratch`, and the severity profile.

    What the user left open and the machine decides is settled here and becomes part of the
    configuration: the dataset's name (a `root` that was founded keeps its own, so that photographs
    may move), and where a model or profile named by a relative path lies.

    Raises:
        ValueError: no source was named, or it or the profile cannot be read.
    """
    if not config.clean:
        raise ValueError(
            "no photographs named: give --clean FOLDER, or clean: in the configuration (a dataset "
            "that is begun goes on by --out alone, with the settings that it has)"
        )
    source = Path(config.clean)
    config = _settled(config, source, root)
    profile = load_profile(config.profile)
    path, passed_over = scratch / CATALOG_NAME, PassedOver()
    base = base_folder(source).absolute()
    try:
        write_catalog(
            read_source(
                source,
                outside=config.outside,
                member=config.member,
                passed_over=passed_over,
            ),
            path,
            base=base,
            default_dataset=config.clean_dataset or "",
            default_degradation=config.clean_degradation,
            dedupe=config.dedupe,
            limit=config.limit,
        )
    except NoPhotographsError as error:
        raise SourceError(
            "; ".join(filter(None, (f"{source}: {error}", passed_over.text())))
        ) from error
    except SourceError as error:
        if str(error).startswith(str(source)):
            raise
        raise SourceError(f"{source}: {error}") from error
    return Inputs(
        config=config,
        base=base,
        catalog=Catalog(path),
        profile=profile,
        passed_over=passed_over,
    )


def _settled(config: BuildConfig, source: Path, root: Store | None) -> BuildConfig:
    settled: dict[str, str] = {}
    if config.clean_dataset is None:
        founded = root is not None and root.exists(IDENTITY_NAME)
        known = read_identity(root)["config"]["clean_dataset"] if root and founded else None
        settled["clean_dataset"] = known or source.absolute().stem
    if Path(config.model).is_dir():
        settled["model"] = str(Path(config.model).absolute())
    if Path(config.generator.depth).is_dir():
        depth = str(Path(config.generator.depth).absolute())
        config = config.model_copy(
            update={"generator": config.generator.model_copy(update={"depth": depth})}
        )
    if config.profile != "reference":
        settled["profile"] = str(Path(config.profile).absolute())
    return config.model_copy(update=settled)


def recall(root: Store) -> Inputs | None:
    """The inputs that a root was founded with, or None where there is no root."""
    return inputs_of(open_dataset(root.url)) if root.exists(IDENTITY_NAME) else None


def inputs_of(dataset: Dataset) -> Inputs:
    """The inputs that an opened dataset was founded with."""
    return Inputs(
        config=dataset.config,
        base=dataset.base,
        catalog=dataset.plan.catalog,
        profile=dataset.plan.profile,
    )
