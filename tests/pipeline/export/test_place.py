from __future__ import annotations

import multiprocessing
import os
import signal

import pytest

from gends.pipeline.export.place import earlier_export, new_folder, write_facts


def test_the_folder_appears_when_it_is_whole(tmp_path):
    out = tmp_path / "made" / "out"
    with new_folder(out) as folder:
        write_facts(folder, {"format": "x"})
        assert not out.exists()
        assert earlier_export(out) is None
    assert earlier_export(out) == {"format": "x"}
    assert [path.name for path in out.parent.iterdir()] == ["out"]


def test_an_error_leaves_nothing(tmp_path):
    def half() -> None:
        with new_folder(tmp_path / "out") as folder:
            (folder / "half").write_text("-")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        half()
    assert not list(tmp_path.iterdir())


def test_an_empty_folder_is_taken(tmp_path):
    (tmp_path / "out").mkdir()
    with new_folder(tmp_path / "out") as folder:
        (folder / "file").write_text("-")
    assert (tmp_path / "out" / "file").exists()


def test_what_is_not_ours_is_refused(tmp_path):
    (tmp_path / "notes.txt").write_text("-")
    with pytest.raises(FileExistsError, match="no export of gends; name a new folder"):
        earlier_export(tmp_path)
    with pytest.raises(FileExistsError, match="no export of gends"):
        earlier_export(tmp_path / "notes.txt")
    (tmp_path / "export.json").write_text("[")
    with pytest.raises(FileExistsError, match="no export of gends"):
        earlier_export(tmp_path)


def _write_for_ever(out, begun):
    with new_folder(out) as folder:
        (folder / "old").mkdir()
        (folder / "old" / "half").write_text("-")
        begun.set()
        signal.pause()


def test_a_killed_export_starts_again_and_a_living_one_is_left_alone(tmp_path):
    context = multiprocessing.get_context("spawn")
    begun, out = context.Event(), tmp_path / "out"
    other = context.Process(target=_write_for_ever, args=(out, begun), daemon=True)
    other.start()
    assert begun.wait(60)
    with pytest.raises(BlockingIOError, match="another export is at work here"), new_folder(out):
        pytest.fail("two at a time")
    os.kill(other.pid, signal.SIGKILL)
    other.join()
    assert (tmp_path / ".out.exporting" / "old" / "half").exists()
    with new_folder(out) as folder:
        (folder / "new").write_text("-")
    assert [path.name for path in out.iterdir()] == ["new"]
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


@pytest.mark.parametrize("kind", ["link", "link to nothing", "file"])
def test_what_has_the_hidden_name_and_is_not_ours_is_refused(tmp_path, kind):
    victim, hidden = tmp_path / "victim", tmp_path / ".out.exporting"
    (victim / "sub").mkdir(parents=True)
    (victim / "sub" / "precious").write_text("kept")
    if kind == "file":
        hidden.write_text("kept")
    else:
        hidden.symlink_to(victim if kind == "link" else tmp_path / "nowhere")
    with pytest.raises(FileExistsError, match="exporting is a link or a file"):
        new_folder(tmp_path / "out").__enter__()
    assert (victim / "sub" / "precious").read_text() == "kept"
    assert os.path.lexists(hidden)
    assert not (tmp_path / "out").exists()
    assert not (tmp_path / "nowhere").exists()


def test_links_in_what_a_killed_export_left_are_removed_alone(tmp_path):
    (tmp_path / "victim").mkdir()
    (tmp_path / "victim" / "precious").write_text("kept")
    (tmp_path / ".out.exporting").mkdir()
    (tmp_path / ".out.exporting" / "rain").symlink_to(tmp_path / "victim")
    with new_folder(tmp_path / "out") as folder:
        (folder / "file").write_text("-")
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["file"]
    assert (tmp_path / "victim" / "precious").read_text() == "kept"
