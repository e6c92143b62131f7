"""gends and Ray Data's write_webdataset under the same kills, side by side; long: `make soak`."""

from __future__ import annotations

import os
import random
import subprocess
import sys
import tarfile
import threading
from collections import Counter
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest
from assault import ENDS_THE_BUILD, assault
from soaking import SETTINGS, compare, made_in, report, start_build
from witness import Witness

from gends.pipeline.keeping.dataset import Dataset
from gends.pipeline.storage.opening import open_store

SCRIPT = Path(__file__).with_name("ray_data_build.py")
REPLICAS = {"replicas": 8, "shard_size": 96}


class TarWitness(threading.Thread):
    """Opens every tar of a folder whenever it has changed, as a trainer that lists the folder."""

    def __init__(self, folder: Path) -> None:
        super().__init__(daemon=True)
        self.folder = folder
        self.torn: set[str] = set()
        self._known: dict[str, int] = {}
        self._ended = threading.Event()

    def run(self) -> None:
        while not self._ended.wait(0.05):
            self.look()

    def end(self) -> None:
        self._ended.set()
        self.join()

    def look(self) -> None:
        for path in self.folder.glob("*.tar"):
            size = path.stat().st_size
            if self._known.get(path.name) != size:
                self._known[path.name] = size
                if read_tar(path) is None:
                    self.torn.add(path.name)


def read_tar(path: Path) -> list[str] | None:
    """Keys of a tar's samples, or None when it is torn."""
    try:
        if path.read_bytes()[-1024:] != bytes(1024):
            return None
        with tarfile.open(path) as tar:
            names = tar.getnames()
    except (OSError, tarfile.TarError):
        return None
    return [name.removesuffix(".json") for name in names if name.endswith(".json")]


@pytest.mark.slow
@pytest.mark.timeout(7200)
@pytest.mark.parametrize("system", ["gends", "ray_data", "ray_data_checkpoint"])
def test_the_same_kills(
    system: str,
    crops: Callable[[Iterable[str]], Path],
    found_dataset: Callable[..., Dataset],
    build_dataset: Callable[..., Dataset],
    tmp_path: Path,
    pytestconfig: pytest.Config,
) -> None:
    kills = pytestconfig.getoption("soak_peer_kills")
    if not kills:
        pytest.skip("long; --soak-peer-kills N asks for it")
    folder = pytestconfig.getoption("soak_photos")
    clean = Path(folder) if folder else crops(f"{index:03d}.png" for index in range(4 * kills))
    rng = random.Random(pytestconfig.getoption("soak_seed"))
    kinds = [ENDS_THE_BUILD[index % len(ENDS_THE_BUILD)] for index in range(kills)]
    settings = SETTINGS | REPLICAS
    if system == "gends":
        whole, root = build_dataset(clean, tmp_path / "whole", **settings), tmp_path / "root"
        witness = Witness(open_store(root), pause=0.05)
        witness.start()
        losses = assault(
            lambda: start_build(clean, root, settings | {"workers": 2}),
            lambda: made_in(root / "work", root / "manifest"),
            *(kinds, rng),
            pause=1.0,
        )
        witness.end()
        facts = compare(root, whole) | {"torn": len(witness.torn), "torn_left": 0}
    else:
        founded = found_dataset(clean, tmp_path / "founded", **settings)
        root, checkpoints = tmp_path / "tars", tmp_path / "checkpoints"
        root.mkdir()
        arguments = [founded.store.url, root, "2"]
        arguments += [checkpoints] if system == "ray_data_checkpoint" else []
        tars = TarWitness(root)
        tars.start()
        losses = assault(
            lambda: _start_ray_data(arguments),
            lambda: made_in(root),
            kinds,
            rng,
            pause=1.0,
        )
        tars.end()
        facts = _compare_tars(root, founded) | {"torn": len(tars.torn)}
    report(pytestconfig, system, vars(losses) | facts)
    if system == "gends":
        assert not any(facts[name] for name in ("lost", "doubled", "torn", "files_different"))


def _start_ray_data(arguments: list[Any]) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, str(SCRIPT), *map(str, arguments)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        text=True,
        start_new_session=True,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
    )


def _compare_tars(folder: Path, founded: Dataset) -> dict[str, Any]:
    read = [read_tar(path) for path in folder.glob("*.tar")]
    keys = Counter(key for tar in read if tar is not None for key in tar)
    plan = founded.plan
    wanted = {
        request.key
        for shard in range(plan.num_shards)
        for unit in plan.units(shard)
        for view in unit.views
        for request in view.requests
    }
    return {
        "requests": len(wanted),
        "lost": len(wanted - keys.keys()),
        "doubled": keys.total() - len(keys),
        "files": len(read),
        "files_different": "names and times differ in every run",
        "torn_left": read.count(None),
    }
