"""Machines of one cluster that round in different ways make no dataset unless that is asked for."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import pytest
from ray.cluster_utils import Cluster

from gends.models.processor import MIXED, is_mixed, processor

PROGRAM = Path(sys.executable).with_name("gends-build")
SETTINGS = "--engine=dry --resolution=64 --unit-images=1 --shard-size=24 --workers=1"
NARROW = {"NPY_DISABLE_CPU_FEATURES": "X86_V4 AVX512_ICL"}


@pytest.fixture
def cluster() -> Iterator[Cluster]:
    """A cluster of two machines, of which the second leaves the widest instructions."""
    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 2})
    try:
        cluster.add_node(num_cpus=2, env_vars=NARROW)
        yield cluster
    finally:
        cluster.shutdown()


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.skipif(processor(torch=False)["numpy"] != "avx512", reason="needs a wide processor")
def test_a_cluster_that_mixes_processors_is_refused_until_it_is_asked_for(
    cluster: Cluster, crops: Callable[[Iterable[str]], Path], tmp_path: Path
) -> None:
    clean, root = crops(f"{index}.png" for index in range(4)), tmp_path / "root"

    def run(*flags: str) -> subprocess.CompletedProcess[str]:
        places = [f"--clean={clean}", f"--out={root}", f"--address={cluster.address}"]
        return subprocess.run(
            [str(PROGRAM), "run", *places, *SETTINGS.split(), *flags],
            capture_output=True,
            text=True,
            timeout=250,
            check=False,
        )

    refused = run()
    assert refused.returncode == 1, refused.stderr
    assert "workers differ in processor.numpy (avx" in refused.stderr
    assert "--mixed-processors" in refused.stderr
    assert not root.exists()
    allowed = run("--mixed-processors")
    assert allowed.returncode == 0, allowed.stderr
    engine = json.loads((root / "dataset.json").read_text(encoding="utf-8"))["engine"]
    assert is_mixed(engine)
    assert [name for name in engine if name.startswith("processor")] == list(MIXED)
