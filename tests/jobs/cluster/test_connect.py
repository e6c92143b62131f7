from __future__ import annotations

import tempfile

import pytest

from gends.jobs.cluster import connect as cluster


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


def test_a_deep_temporary_folder_is_not_used(monkeypatch, tmp_path):
    monkeypatch.delenv("RAY_TMPDIR", raising=False)
    monkeypatch.setattr(tempfile, "tempdir", "/tmp")
    assert cluster._temporary_folder() is None
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / ("deep" * 20)))
    assert cluster._temporary_folder() == "/tmp/ray"
