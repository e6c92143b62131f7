from __future__ import annotations

import json
import shutil

import pytest

from gends.histograms.profile import Profile
from gends.models.dry import DryDegrader
from gends.pipeline.catalog import Catalog, write_catalog
from gends.pipeline.config import BuildConfig
from gends.pipeline.dataset import (
    CATALOG_NAME,
    IDENTITY_NAME,
    PROFILE_NAME,
    IdentityError,
    check_identity,
    config_digest,
    make_identity,
    open_dataset,
    write_identity,
)
from gends.pipeline.sources import SourceRow, read_source
from gends.pipeline.store import AlreadyExistsError, open_store

ENGINE = DryDegrader().fingerprint()


@pytest.fixture
def parts(finished):
    """What the finished dataset was founded with, to change one thing at a time."""
    return {
        "config": finished.config,
        "catalog": finished.plan.catalog,
        "profile": finished.plan.profile,
        "engine": ENGINE,
        "base": finished.base,
    }


def edit(dataset, **changes) -> None:
    path = dataset.store.path(IDENTITY_NAME)
    identity = json.loads(path.read_text()) | changes
    path.write_text(json.dumps(identity))


def test_the_same_settings_resume(finished, parts):
    check_identity(finished.store, make_identity(**parts))


def test_an_identity_without_an_engine_can_be_checked(finished, parts):
    check_identity(finished.store, make_identity(**parts | {"engine": None}))


def test_photographs_may_move(finished, parts, tmp_path):
    check_identity(finished.store, make_identity(**parts | {"base": tmp_path}))
    moved = finished.config.model_copy(update={"clean": "elsewhere"})
    check_identity(finished.store, make_identity(**parts | {"config": moved}))
    assert config_digest(moved) == config_digest(finished.config)


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"seed": 4}, "config.seed: the root has 3, this command has 4"),
        ({"resolution": 128}, "config.resolution: the root has 64, this command has 128"),
        ({"filter": {"mu_max": 0.2}}, "config.filter.mu_max: the root has 0.285, this command"),
        ({"generator": {"steps": 9}}, "config.generator.steps: the root has None, this command"),
        ({"degradations": ["haze"]}, "config.degradations: the root has ['haze', 'rain', "),
    ],
)
def test_another_configuration_is_refused(finished, parts, settings, says):
    values = finished.config.model_dump() | settings
    config = BuildConfig.model_validate(values)
    with pytest.raises(IdentityError) as caught:
        check_identity(finished.store, make_identity(**parts | {"config": config}))
    message = str(caught.value)
    assert message.startswith(f"{finished.store.root} holds another dataset:\n")
    assert says in message
    assert message.endswith("name a new --out folder.")
    assert config_digest(config) != finished.config_digest
    assert "config_digest" not in message


def test_every_difference_is_named_at_once(finished, parts):
    config = finished.config.model_copy(update={"seed": 4, "replicas": 2})
    engine = ENGINE | {"dry": "3", "weights": "abc"}
    with pytest.raises(IdentityError) as caught:
        check_identity(
            finished.store, make_identity(**parts | {"config": config, "engine": engine})
        )
    for line in (
        "config.seed: the root has 3, this command has 4",
        "config.replicas: the root has 1, this command has 2",
        "engine.dry: the root has '2', this command has '3'",
        "engine.weights: the root has None, this command has 'abc'",
    ):
        assert line in str(caught.value)


def test_another_catalog_or_profile_is_refused(finished, parts, tmp_path):
    write_catalog([SourceRow(uri="x")], tmp_path / "c", base=tmp_path, default_dataset="d")
    haze = Profile(degradations={"haze": finished.plan.profile.degradations["haze"]})
    for name, changed in (("catalog", Catalog(tmp_path / "c")), ("profile", haze)):
        with pytest.raises(IdentityError, match=f"{name}_digest: the root has"):
            check_identity(finished.store, make_identity(**parts | {name: changed}))


def test_other_versions_of_libraries_are_refused(copied, parts):
    identity = make_identity(**parts)
    edit(copied, versions=identity["versions"] | {"numpy": "1.0"})
    with pytest.raises(IdentityError, match=r"versions\.numpy: the root has '1\.0', this command"):
        check_identity(copied.store, identity)


def test_another_format_is_refused(copied, parts):
    edit(copied, format_version=2)
    with pytest.raises(IdentityError, match="format_version: the root has 2, this command has 1"):
        check_identity(copied.store, make_identity(**parts))
    with pytest.raises(IdentityError, match="format version 2, this gends reads 1; install"):
        open_dataset(copied.store.root)


def test_a_root_is_founded_once(tmp_path, parts):
    store = open_store(tmp_path)
    write_identity(store, make_identity(**parts))
    with pytest.raises(AlreadyExistsError):
        write_identity(store, make_identity(**parts))


def test_a_root_opens_with_all_that_it_was_founded_with(finished, photos):
    opened = open_dataset(finished.store.root)
    assert opened.config == finished.config
    assert opened.base == photos.parent
    assert opened.config_digest == config_digest(opened.config)
    units = [unit for dataset in (opened, finished) for unit in dataset.plan.units(1)]
    assert units[: len(units) // 2] == units[len(units) // 2 :]


def test_no_dataset_is_said(tmp_path):
    with pytest.raises(IdentityError, match=r"no dataset\.json here, so no dataset"):
        open_dataset(tmp_path)
    (tmp_path / IDENTITY_NAME).write_text("{oops")
    with pytest.raises(IdentityError, match=r"dataset\.json: not JSON"):
        open_dataset(tmp_path)
    (tmp_path / IDENTITY_NAME).write_text("[1]")
    with pytest.raises(IdentityError, match="not the identity of a dataset"):
        open_dataset(tmp_path)
    (tmp_path / IDENTITY_NAME).write_text('{"name": "somebody else\'s"}')
    with pytest.raises(IdentityError, match="format version None"):
        open_dataset(tmp_path)


def test_a_changed_catalog_or_profile_is_noticed(copied, tmp_path, photos):
    root = copied.store.root
    catalog, profile = root / CATALOG_NAME, root / PROFILE_NAME
    shutil.copy(catalog, tmp_path / "catalog")
    rows = list(read_source(photos))[1:]
    write_catalog(rows, catalog, base=photos.parent, default_dataset="photos")
    with pytest.raises(IdentityError, match="the catalog is not the one"):
        open_dataset(root)
    shutil.copy(tmp_path / "catalog", catalog)

    Profile(degradations={"haze": copied.plan.profile.degradations["haze"]}).save(profile)
    with pytest.raises(IdentityError, match="the profile is not the one"):
        open_dataset(root)


@pytest.mark.parametrize("name", [CATALOG_NAME, PROFILE_NAME])
def test_a_lost_or_torn_part_is_said(copied, name):
    path = copied.store.path(name)
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(IdentityError, match="catalog or severity profile unreadable"):
        open_dataset(copied.store.root)
    path.unlink()
    with pytest.raises(IdentityError, match=f"unreadable: .*{name}"):
        open_dataset(copied.store.root)
