from __future__ import annotations

import json
import shutil

import pyarrow.parquet as pq
import pytest

from gends.histograms.profile import Profile
from gends.models.dry import DryDegrader
from gends.models.processor import with_processor
from gends.pipeline.format.damage import DamageError
from gends.pipeline.format.identity import IDENTITY_NAME, IdentityError, write_identity
from gends.pipeline.keeping import dataset
from gends.pipeline.keeping.dataset import (
    check_identity,
    config_digest,
    make_identity,
    open_dataset,
)
from gends.pipeline.keeping.parts import CATALOG_NAME, PROFILE_NAME, mend_parts
from gends.pipeline.photographs.catalog import Catalog, write_catalog
from gends.pipeline.photographs.catalog_changes import describe_changes
from gends.pipeline.planning.config import BuildConfig
from gends.pipeline.planning.plan import Plan
from gends.pipeline.reading.reader import read_manifest
from gends.pipeline.sources.source import SourceRow, read_source
from gends.pipeline.storage.opening import open_store
from gends.pipeline.storage.store import AlreadyExistsError

ENGINE = with_processor(DryDegrader().fingerprint(), torch=False)


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


def _identity(config, catalog, profile, engine, base) -> dict:
    return make_identity(Plan(catalog, config, profile), engine, base)


def edit(dataset, **changes) -> None:
    path = dataset.store.path(IDENTITY_NAME)
    identity = json.loads(path.read_text()) | changes
    path.write_text(json.dumps(identity))


def test_the_same_settings_resume(finished, parts):
    check_identity(finished.store, _identity(**parts))


def test_an_identity_without_an_engine_can_be_checked(finished, parts):
    check_identity(finished.store, _identity(**parts | {"engine": None}))


def test_photographs_may_move(finished, parts, tmp_path):
    check_identity(finished.store, _identity(**parts | {"base": tmp_path}))
    moved = finished.config.model_copy(update={"clean": "elsewhere"})
    check_identity(finished.store, _identity(**parts | {"config": moved}))
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
        check_identity(finished.store, _identity(**parts | {"config": config}))
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
        check_identity(finished.store, _identity(**parts | {"config": config, "engine": engine}))
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
    parts["config"] = finished.config.model_copy(update={"degradations": ("haze",)})
    for name, changed in (("catalog", Catalog(tmp_path / "c")), ("profile", haze)):
        with pytest.raises(IdentityError, match=f"{name}_digest: the root has"):
            check_identity(finished.store, _identity(**parts | {name: changed}))


def test_changed_photographs_are_counted_and_named(photos, build_dataset, parts, tmp_path):
    source = tmp_path / "photos"
    shutil.copytree(photos.parent, source)
    (source / "photos.csv").unlink()
    root = build_dataset(source, tmp_path / "root", limit=None)
    (source / "words.png").unlink()
    shutil.copy(source / "copy.jpg", source / "more.jpg")
    with open(source / "chelsea left.png", "ab") as file:
        file.write(b"more")
    (source / "coffee left.txt").write_text("a caption")
    same_size = bytearray((source / "rocket left.png").read_bytes())
    same_size[-1] ^= 1
    (source / "rocket left.png").write_bytes(same_size)
    write_catalog(read_source(source), tmp_path / "catalog", base=source, default_dataset="photos")
    catalog = Catalog(tmp_path / "catalog")
    identity = _identity(**parts | {"config": root.config, "catalog": catalog})
    with pytest.raises(IdentityError) as caught:
        check_identity(root.store, identity, catalog=catalog)
    assert (
        "photographs were added, removed or changed: 1 fewer (as words.png), 1 new (as more.jpg), "
        "1 of another size (as chelsea left.png), 1 of other content (as rocket left.png), "
        "1 described otherwise (as coffee left.jpg)\n"
    ) in str(caught.value)
    assert "catalog_digest" not in str(caught.value)
    root.store.path(CATALOG_NAME).unlink()
    with pytest.raises(IdentityError, match=r"cannot be said: .*catalog\.parquet: lost"):
        check_identity(root.store, identity, catalog=catalog)


def test_a_catalog_without_checksums_is_read_and_says_why_it_differs(finished, parts, tmp_path):
    new = finished.plan.catalog
    table = pq.read_table(new.path).drop_columns(["ends_blake3", "written_ns"])
    with pq.ParquetWriter(tmp_path / "old", table.schema) as writer:
        writer.write_table(table)
        writer.add_key_value_metadata({"digest": "old"})
    old = Catalog(tmp_path / "old")
    assert [row.uri for row in old.rows(0, 99)] == [row.uri for row in new.rows(0, 99)]
    assert describe_changes(old, new).startswith("none can be named, as the root's list was made")


def test_other_versions_of_libraries_are_refused(copied, parts, monkeypatch):
    identity = _identity(**parts)
    monkeypatch.setattr(dataset, "version", lambda name: "1.0")
    copied.store.path(IDENTITY_NAME).unlink()
    write_identity(copied.store, _identity(**parts))
    with pytest.raises(IdentityError, match=r"versions\.numpy: the root has '1\.0', this command"):
        check_identity(copied.store, identity)


def test_another_format_is_refused(copied, parts):
    edit(copied, format_version=1)
    with pytest.raises(IdentityError, match="format version 1, this gends reads 2; install"):
        check_identity(copied.store, _identity(**parts))
    with pytest.raises(IdentityError, match="format version 1, this gends reads 2; install"):
        open_dataset(copied.store.root)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda identity: identity["config"].update(seed=5), "config"),
        (lambda identity: identity.update(config=None), "config"),
        (lambda identity: identity.update(config_digest="0"), "config and versions, engine"),
        (lambda identity: identity["versions"].update(numpy="1.0"), "versions, engine, digests"),
        (lambda identity: identity["engine"].update(dry="9"), "versions, engine, digests"),
        (lambda identity: identity.update(num_shards=4), "versions, engine, digests"),
        (lambda identity: identity.pop("identity_digest"), "versions, engine, digests"),
    ],
)
def test_a_changed_identity_is_refused_by_all_who_read_it(copied, parts, change, says):
    path = copied.store.path(IDENTITY_NAME)
    identity = json.loads(path.read_text())
    change(identity)
    path.write_text(json.dumps(identity))
    says = rf"dataset\.json: damaged, or edited by hand \({says}.* from a copy"
    with pytest.raises(DamageError, match=says):
        open_dataset(copied.store.root)
    with pytest.raises(DamageError, match=says):
        check_identity(copied.store, _identity(**parts))
    with pytest.raises(DamageError, match=says):
        read_manifest(copied.store.root)


def test_a_root_is_founded_once(tmp_path, parts):
    store = open_store(tmp_path)
    write_identity(store, _identity(**parts))
    with pytest.raises(AlreadyExistsError):
        write_identity(store, _identity(**parts))


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
    with pytest.raises(DamageError, match=r"dataset\.json: not JSON; bring the file back"):
        open_dataset(tmp_path)
    (tmp_path / IDENTITY_NAME).write_text("[1]")
    with pytest.raises(DamageError, match="not a dataset's; bring the file back"):
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
    with pytest.raises(DamageError, match=r"catalog\.parquet: not the one"):
        open_dataset(root)
    shutil.copy(tmp_path / "catalog", catalog)

    Profile(degradations={"haze": copied.plan.profile.degradations["haze"]}).save(profile)
    with pytest.raises(DamageError, match=r"severity_profile\.json: not the one"):
        open_dataset(root)


@pytest.mark.parametrize("name", [CATALOG_NAME, PROFILE_NAME])
def test_a_lost_or_torn_part_is_said(copied, name):
    path = copied.store.path(name)
    path.write_bytes(path.read_bytes()[:100])
    way_out = f"gends-build run --clean ... --out {copied.store.root}"
    with pytest.raises(DamageError, match=f"{name}: unreadable: .*{way_out}"):
        open_dataset(copied.store.root)
    path.unlink()
    with pytest.raises(DamageError, match=f"{name}: lost.*{way_out}"):
        open_dataset(copied.store.root)


@pytest.mark.parametrize("name", [CATALOG_NAME, PROFILE_NAME])
@pytest.mark.parametrize("spoil", ["lost", "torn", "flipped"])
def test_lost_or_damaged_parts_are_written_again(finished, copied, name, spoil):
    path = copied.store.path(name)
    whole = path.read_bytes()
    if spoil == "lost":
        path.unlink()
    else:
        flipped = whole[:40] + bytes([whole[40] ^ 4]) + whole[41:]  # in the first page
        path.write_bytes(whole[:100] if spoil == "torn" else flipped)
    mend_parts(copied.store, finished.plan.catalog, finished.plan.profile)
    assert path.read_bytes() == whole


def test_sound_parts_are_left_alone(finished, copied):
    path = copied.store.path(CATALOG_NAME)
    before = path.stat().st_ino
    mend_parts(copied.store, finished.plan.catalog, finished.plan.profile)
    assert path.stat().st_ino == before


def test_another_processor_is_refused_until_it_is_asked_for(finished, parts):
    there = _identity(**parts | {"engine": ENGINE | {"processor.numpy": "other"}})
    with pytest.raises(IdentityError) as caught:
        check_identity(finished.store, there)
    assert "engine.processor.numpy: the root has" in str(caught.value)
    assert "--mixed-processors goes on with it" in str(caught.value)
    check_identity(finished.store, there, processors=False)
    other = _identity(**parts | {"engine": ENGINE | {"processor.numpy": "other", "dry": "9"}})
    with pytest.raises(IdentityError, match=r"engine\.dry: ") as caught:
        check_identity(finished.store, other, processors=False)
    assert "processor" not in str(caught.value)
