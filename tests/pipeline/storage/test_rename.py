"""Names that nothing has, where hard links are missing too."""

from __future__ import annotations

import errno
import os
import threading

import pytest

from gends.pipeline.storage import rename
from gends.pipeline.storage.rename import rename_to_free


@pytest.fixture(params=["link", "renameat2", "lock"])
def filesystem(request, monkeypatch):
    """One that can do all, one without hard links, one that can only rename."""

    def refuse(*_: object, **__: object) -> None:
        raise OSError(errno.EPERM, os.strerror(errno.EPERM))

    if request.param != "link":
        monkeypatch.setattr(os, "link", refuse)
    if request.param == "lock":
        monkeypatch.setattr(rename, "_renamed_without_replacing", lambda *_: False)
    return request.param


def test_a_free_name_is_given_and_a_taken_one_is_refused(filesystem, tmp_path):
    (tmp_path / "a").write_text("first")
    rename_to_free(tmp_path / "a", tmp_path / "name")
    (tmp_path / "b").write_text("second")
    (tmp_path / "dangling").symlink_to("nowhere")
    for taken in ("name", "dangling"):
        with pytest.raises(FileExistsError):
            rename_to_free(tmp_path / "b", tmp_path / taken)
    assert (tmp_path / "name").read_text() == "first"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["b", "dangling", "name"]


def test_of_a_link_the_link_is_renamed(filesystem, tmp_path):
    (tmp_path / "link").symlink_to("nowhere")
    rename_to_free(tmp_path / "link", tmp_path / "name")
    assert os.readlink(tmp_path / "name") == "nowhere"
    assert [path.name for path in tmp_path.iterdir()] == ["name"]


def test_of_many_one_succeeds(filesystem, tmp_path):
    start, outcomes = threading.Barrier(8), []

    def race(number: int) -> None:
        (tmp_path / f"{number}").write_text(str(number))
        start.wait()
        try:
            rename_to_free(tmp_path / f"{number}", tmp_path / "name")
            outcomes.append(number)
        except FileExistsError:
            pass

    threads = [threading.Thread(target=race, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [(tmp_path / "name").read_text()] == [str(number) for number in outcomes]


def test_other_troubles_are_told(filesystem, tmp_path):
    with pytest.raises(FileNotFoundError):
        rename_to_free(tmp_path / "missing", tmp_path / "name")
