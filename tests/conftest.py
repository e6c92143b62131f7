"""Small real photographs, and datasets made from them in this process, without Ray."""

from __future__ import annotations

import csv
import shutil
import uuid
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import boto3
import numpy as np
import pytest
import skimage.data
from hypothesis import settings
from mixed_build import build_mixed
from moto.server import ThreadedMotoServer
from photographs import NAMES
from PIL import Image as Pillow

from gends.histograms.profile import Profile
from gends.models.degrader import Degrader, Image
from gends.models.dry import DryDegrader
from gends.models.processor import with_processor
from gends.pipeline.format.identity import write_identity
from gends.pipeline.keeping.commit import seal, write_unit
from gends.pipeline.keeping.dataset import Dataset, make_identity, open_dataset
from gends.pipeline.keeping.parts import CATALOG_NAME, PROFILE_NAME
from gends.pipeline.keeping.reopened import close
from gends.pipeline.making.judge import Judge
from gends.pipeline.making.load import load_views
from gends.pipeline.making.unit import make_unit
from gends.pipeline.photographs.catalog import Catalog, write_catalog
from gends.pipeline.planning.config import BuildConfig
from gends.pipeline.planning.plan import Plan
from gends.pipeline.sources.source import base_folder, read_source
from gends.pipeline.storage.opening import open_store
from gends.pipeline.types import WorkUnit

# Machines that run tests are often busy: a slow example is no failure.
settings.register_profile("gends", deadline=None)
settings.load_profile("gends")

SMALL = {
    "engine": "dry",
    "resolution": 64,
    "shard_size": 12,
    "unit_images": 1,
    "redraws": 1,
    "seed": 3,
}
"""Settings of datasets made for tests: two images to a shard."""


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("soak", "the long forms of tests that are short by default")
    group.addoption("--soak-kills", type=int, default=4, help="processes to kill in test_soak.py")
    group.addoption("--soak-replicas", type=int, default=8, help="more make the build longer")
    group.addoption("--soak-peer-kills", type=int, default=0, help="test_soak_peers.py; 0 skips it")
    group.addoption("--soak-photos", help="folder of photographs to build from")
    group.addoption("--soak-seed", type=int, default=0, help="which processes, and when")
    group.addoption("--soak-report", help="JSON file for what happened")


@pytest.fixture(scope="session")
def object_server() -> Iterator[str]:
    """Address of an object store with a bucket `bucket`, in the environment of this process."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0)
    server.start()
    host, port = server.get_host_and_port()
    settings = {
        "AWS_ENDPOINT_URL": f"http://{host}:{port}",
        "AWS_ACCESS_KEY_ID": "key",
        "AWS_SECRET_ACCESS_KEY": "secret",
        "AWS_REGION": "us-east-1",
        "AWS_DEFAULT_REGION": "us-east-1",
    }
    with pytest.MonkeyPatch.context() as patch:
        for name, value in settings.items():
            patch.setenv(name, value)
        boto3.client("s3", endpoint_url=settings["AWS_ENDPOINT_URL"]).create_bucket(Bucket="bucket")
        yield settings["AWS_ENDPOINT_URL"]
    server.stop()


@pytest.fixture
def bucket(object_server: str) -> str:
    """URL of an empty prefix in an object store."""
    return f"s3://bucket/{uuid.uuid4().hex}"


@pytest.fixture(scope="session")
def photographs() -> dict[str, Image]:
    """Real photographs, (H, W, 3) RGB, a few hundred pixels a side."""
    return {name: np.asarray(getattr(skimage.data, name)()) for name in NAMES}


@pytest.fixture(scope="session")
def photos(photographs: dict[str, Image], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A table of eight good photographs, a duplicate and a file that is no photograph."""
    folder = tmp_path_factory.mktemp("photos")
    rows = []
    for number, (name, pixels) in enumerate(photographs.items()):
        height, width, _ = pixels.shape
        for side, left in (("left", 0), ("right", width - height * 2 // 3)):
            half = Pillow.fromarray(pixels[:, left : left + height * 2 // 3]).resize((80, 96))
            path = folder / f"{name} {side}.{'png' if number % 2 else 'jpg'}"
            half.save(path)
            rows.append(
                {
                    "uri": path.name,
                    "dataset": "skimage",
                    "degradation": "haze" if name == "coffee" else "",
                    "caption": f"{name}, the «{side}» half" if side == "left" else "",
                    "split": "test" if name == "rocket" else "train",
                }
            )
    shutil.copy(folder / "astronaut left.jpg", folder / "copy.jpg")
    (folder / "words.png").write_text("not a photograph")
    rows += [{"uri": "copy.jpg"}, {"uri": "words.png"}]
    with open(folder / "photos.csv", "w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, ["uri", "dataset", "degradation", "caption", "split"])
        writer.writeheader()
        writer.writerows(rows)
    return folder / "photos.csv"


def _found(source: Path, root: Path, **settings: object) -> Dataset:
    config = BuildConfig.model_validate(SMALL | settings)
    root.mkdir(parents=True)
    base = base_folder(source)
    write_catalog(
        read_source(source),
        root / CATALOG_NAME,
        base=base,
        default_dataset="photos",
        dedupe=config.dedupe,
        limit=config.limit,
    )
    profile = Profile.reference()
    profile.save(root / PROFILE_NAME)
    catalog = Catalog(root / CATALOG_NAME)
    engine = with_processor(DryDegrader().fingerprint(), torch=bool(config.filter.metrics))
    write_identity(open_store(root), make_identity(Plan(catalog, config, profile), engine, base))
    return open_dataset(root)


def _make_units(
    dataset: Dataset, units: Iterable[WorkUnit], degrader: Degrader | None = None
) -> None:
    judge = Judge(dataset.config.filter)
    engines = {dataset.config.engine: degrader or DryDegrader()}
    for unit in units:
        loaded = load_views(unit.views, dataset.base, dataset.config)
        rows = make_unit(unit, loaded, engines, judge, dataset.config)
        write_unit(dataset.store, unit.shard, unit.index, rows)


def _seal(dataset: Dataset, shard: int) -> None:
    sizes = dataset.plan.unit_sizes(shard)
    seal(dataset.store, shard, sizes, dataset.config, dataset.config_digest)
    close(dataset.store, shard, lambda: None)


def _build(
    source: Path,
    root: Path,
    *,
    order: Callable[[list[WorkUnit]], Iterable[WorkUnit]] = lambda units: units,
    degrader: Degrader | None = None,
    **settings: object,
) -> Dataset:
    dataset = _found(source, root, **settings)
    shards = range(dataset.plan.num_shards)
    units = [unit for shard in shards for unit in dataset.plan.units(shard)]
    _make_units(dataset, order(units), degrader)
    for shard in shards:
        _seal(dataset, shard)
    return dataset


@pytest.fixture(scope="session")
def found_dataset() -> Callable[..., Dataset]:
    """(source, root, **settings) -> a founded root, nothing made yet."""
    return _found


@pytest.fixture(scope="session")
def make_units() -> Callable[..., None]:
    """(dataset, units, degrader=dry) makes units durable."""
    return _make_units


@pytest.fixture(scope="session")
def seal_shard() -> Callable[[Dataset, int], None]:
    """(dataset, shard) seals a shard whose units are durable."""
    return _seal


@pytest.fixture(scope="session")
def build_dataset() -> Callable[..., Dataset]:
    """(source, root, *, order, degrader, **settings) -> a finished dataset."""
    return _build


@pytest.fixture(scope="session")
def finished(photos: Path, tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    """A finished dataset with accepted, rejected and failed rows; not to be written to."""
    return _build(photos, tmp_path_factory.mktemp("finished") / "a root, with spaces=1")


@pytest.fixture
def copied(finished: Dataset, tmp_path: Path) -> Dataset:
    """A finished dataset of one's own, to damage."""
    shutil.copytree(finished.store.root, tmp_path / "copied")
    return open_dataset(tmp_path / "copied")


@pytest.fixture(scope="session")
def mixed(photographs: dict[str, Image], tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    """A dataset of mixtures with masks, bits and grounds; pictures of several sizes."""
    return build_mixed(tmp_path_factory.mktemp("mixed"), photographs, _found, _seal)
