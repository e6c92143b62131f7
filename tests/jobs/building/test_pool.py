"""Workers in a cluster that others use, too."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path

import pytest
from ray.cluster_utils import Cluster

PROGRAM = Path(sys.executable).with_name("gends-build")
HOLD = """
import sys, time, ray

ray.init(sys.argv[1], log_to_driver=False)

@ray.remote(num_cpus=2)
class Holder:
    def held(self):
        return True

holder = Holder.remote()
assert ray.get(holder.held.remote())
print("held", flush=True)
sys.stdin.read()
"""
"""Takes two CPUs until its standard input ends."""
SETTINGS = ("--engine", "dry", "--resolution", "64", "--workers", "1")


@pytest.mark.slow
def test_a_busy_cluster_is_waited_for_with_words(photos, tmp_path):
    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 2})
    try:
        other = subprocess.Popen(
            [sys.executable, "-c", HOLD, cluster.address],
            **{"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True},
        )
        assert other.stdout.readline() == "held\n"
        where = ("--out", str(tmp_path / "root"), "--address", cluster.address)
        build = subprocess.Popen(
            [PROGRAM, "run", "--clean", str(photos), *where, *SETTINGS],
            **{"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True},
        )
        told, began = "", time.monotonic()
        while "waiting for room" not in told:
            told = build.stderr.readline()
            assert told, build.communicate()
        assert time.monotonic() - began < 200
        assert told == (
            "waiting for room in the cluster: 1 of 1 workers have no place, each takes 1 CPU; "
            "2 of 2 CPUs of the cluster are in use\n"
        )
        other.communicate(timeout=60)
        _, err = build.communicate(timeout=200)
        assert build.returncode == 0, err
        identity = json.loads((tmp_path / "root" / "dataset.json").read_text())
        assert identity["config"]["engine"] == "dry"
    finally:
        cluster.shutdown()
