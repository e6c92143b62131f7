from __future__ import annotations

import os
import tempfile

import pytest

from gends.jobs.cluster import connect as cluster
from gends.jobs.errors import BuildError


def test_an_address_where_nobody_is_fails_at_once():
    with (
        pytest.raises(
            ConnectionError, match=r"no Ray cluster answers at 127\.0\.0\.1:9 .*--address"
        ),
        cluster.connect("127.0.0.1:9", None, 1),
    ):
        pass


@pytest.mark.parametrize(
    ("resources", "asked", "placed"),
    [
        ({"CPU": 6}, (None, 1, True), (4, 1, 0)),
        ({"CPU": 6}, (None, 2, True), (2, 2, 0)),
        ({"CPU": 2}, (None, 1, False), (1, 1, 0)),
        ({"CPU": 6}, (5, 1, True), (5, 1, 0)),
        ({"CPU": 18, "GPU": 2}, (None, 4, True), (2, 1, 1)),
        ({"CPU": 18, "GPU": 2}, (1, 1, True), (1, 1, 1)),
        ({"CPU": 18, "GPU": 2}, (None, 1, False), (16, 1, 0)),
    ],
)
def test_workers_fit_and_leave_room_for_loading(monkeypatch, resources, asked, placed):
    monkeypatch.setattr(cluster.ray, "cluster_resources", lambda: resources)
    found = cluster._place(*asked)
    assert (found.fitting(), found.cpus_per_worker, found.gpus_per_worker) == placed


@pytest.mark.parametrize(
    ("resources", "asked"),
    [({"CPU": 6}, (6, 1, True)), ({"CPU": 8, "GPU": 2}, (3, 1, True)), ({}, (None, 1, False))],
)
def test_workers_that_do_not_fit_are_refused(monkeypatch, resources, asked):
    monkeypatch.setattr(cluster.ray, "cluster_resources", lambda: resources)
    with pytest.raises(ValueError, match=r"do not fit into .* lower --workers"):
        cluster._place(*asked)


def test_the_number_of_workers_follows_the_cluster(monkeypatch):
    def fitting(cpus: int) -> tuple[int, int]:
        monkeypatch.setattr(cluster.ray, "cluster_resources", lambda: {"CPU": cpus})
        return four.fitting(), free.fitting()

    monkeypatch.setattr(cluster.ray, "cluster_resources", lambda: {"CPU": 6})
    four, free = cluster._place(4, 1, False), cluster._place(None, 1, False)
    assert [fitting(cpus) for cpus in (6, 3, 0, 12)] == [(4, 4), (2, 1), (0, 0), (4, 10)]


@pytest.mark.parametrize(
    ("usual", "used", "why"),
    [
        ("/tmp", "/tmp/ray", None),
        ("/var/my tmp", "/var/my tmp/ray", None),
        ("t", "/home/t/ray", None),
        ("/tmp/" + "deep" * 20, "/tmp/ray", "deepdeep is too long for the paths of sockets"),
        ("/home/ü", "/tmp/ray", "/home/ü is not in ASCII, and Ray does not start there"),
    ],
)
@pytest.mark.parametrize("said", ["RAY_TMPDIR", "TMPDIR"])
def test_ray_works_beside_other_temporary_files_where_it_can(
    monkeypatch, capsys, usual, used, why, said
):
    monkeypatch.delenv("RAY_TMPDIR", raising=False)
    monkeypatch.setattr(os, "getcwd", lambda: "/home")
    if said == "RAY_TMPDIR":
        monkeypatch.setenv("RAY_TMPDIR", usual)
    else:
        monkeypatch.setattr(tempfile, "tempdir", usual)
    assert cluster._temporary_folder() == used
    err = capsys.readouterr().err
    assert why in err if why else err == ""


def test_what_is_in_use_is_told(monkeypatch):
    monkeypatch.setattr(cluster.ray, "cluster_resources", lambda: {"CPU": 6.0, "GPU": 2.0})
    monkeypatch.setattr(cluster.ray, "available_resources", lambda: {"CPU": 1.0})
    assert cluster.in_use() == "5 of 6 CPUs and 2 of 2 GPUs of the cluster are in use"


class Busy:
    """Starts Ray at the second try; the first takes a while to fail, on the clock of the test."""

    def __init__(self, seconds: float) -> None:
        self.seconds, self.tries, self.now = seconds, 0, 0.0

    def start(self, options: object) -> None:
        self.tries += 1
        self.now += self.seconds
        if self.tries == 1:
            raise Exception("the raylet timed out")  # as Ray does

    def monotonic(self) -> float:
        return self.now


@pytest.mark.parametrize(("seconds", "tries"), [(40.0, 2), (2.0, 1)])
def test_a_start_that_ran_out_of_time_is_tried_again(monkeypatch, capsys, seconds, tries):
    busy = Busy(seconds)
    monkeypatch.setattr(cluster, "_start_here", busy.start)
    monkeypatch.setattr(cluster.time, "monotonic", busy.monotonic)
    monkeypatch.setattr(cluster, "_stop", lambda: None)
    if tries == 2:
        cluster._start(None, 1)
        assert "(the raylet timed out); it is started again" in capsys.readouterr().err
    else:
        with pytest.raises(BuildError, match="does not start on this machine: the raylet timed"):
            cluster._start(None, 1)
    assert busy.tries == tries
