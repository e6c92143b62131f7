from __future__ import annotations

import pytest
from PIL import Image

from gends.jobs.commands import show


def test_draws_a_sheet(cli, finished, tmp_path):
    sheet = tmp_path / "sheet.png"
    ended = cli("show", finished.store.root, "--out", sheet, "--degradations", "rain, snow")
    assert ended.code == 0
    assert str(sheet) in ended.out
    with Image.open(sheet) as drawn:
        assert f"{drawn.width}x{drawn.height}" in ended.out
        assert len(drawn.convert("L").getcolors()) > 100


def test_a_degradation_that_is_not_there_is_refused(cli, finished, tmp_path):
    ended = cli("show", finished.store.root, "--out", tmp_path / "s.png", "--degradations", "fog")
    assert ended.code == 2
    assert "no accepted pair of fog; there are haze, low_light, " in ended.err
    assert not list(tmp_path.iterdir())


def test_a_path_without_a_dataset_is_told_as_by_the_other_commands(cli, tmp_path):
    said = {
        cli(*command).err
        for command in (
            ["show", tmp_path / "gone", "--out", tmp_path / "s.png"],
            ["status", tmp_path / "gone"],
            ["verify", tmp_path / "gone"],
        )
    }
    assert len(said) == 1
    assert "so no dataset; is the path right?" in said.pop()


def test_only_a_picture_of_that_kind_is_written_over(cli, finished, tmp_path):
    other = tmp_path / "s.webp"
    other.write_bytes(b"pairs")
    ended = cli("show", finished.store.root, "--out", other)
    assert ended.code == 2
    assert f"{other} is there and is no WEBP; name another file" in " ".join(ended.err.split())
    assert other.read_bytes() == b"pairs"
    for _ in range(2):
        assert cli("show", finished.store.root, "--out", tmp_path / "s.png").code == 0


def test_a_folder_that_is_not_there_is_said_before_anything_is_read(cli, tmp_path):
    for command, name in ((["show"], "s.png"), (["histograms", "fit"], "result.json")):
        ended = cli(*command, tmp_path, "--out", tmp_path / "gone" / name)
        assert ended.code == 2
        assert f"'--out': {tmp_path / 'gone'} is no folder" in " ".join(ended.err.split())


@pytest.mark.parametrize(
    ("ending", "kind"), [("png", "PNG"), ("JPG", "JPEG"), ("jpeg", "JPEG"), ("webp", "WEBP")]
)
def test_the_picture_is_of_the_kind_that_its_name_says(cli, finished, tmp_path, ending, kind):
    sheet = tmp_path / f"sheet.{ending}"
    for _ in range(2):
        assert cli("show", finished.store.root, "--out", sheet).code == 0
    with Image.open(sheet) as drawn:
        assert drawn.format == kind


@pytest.mark.parametrize("name", ["sheet", "sheet.tiff", "sheet.pdf", "sheet.png.tar"])
def test_another_ending_is_refused_before_anything_is_read(cli, tmp_path, name):
    ended = cli("show", tmp_path / "gone", "--out", tmp_path / name)
    assert ended.code == 2
    said = " ".join(ended.err.split())
    assert f"{name} must end in one of .png, .jpg, .jpeg, .webp, which decides its format" in said


def test_a_sheet_too_large_for_its_kind_is_not_written(cli, finished, tmp_path, monkeypatch):
    monkeypatch.setitem(show.LARGEST_SIDE, "WEBP", 500)
    sheet = tmp_path / "sheet.webp"
    ended = cli("show", finished.store.root, "--out", sheet, "--degradations", "rain")
    assert ended.code == 2
    assert "WEBP holds 500 a side; lower --rows or --side, or name a .png" in ended.err
    assert not sheet.exists()


@pytest.mark.parametrize(
    "command",
    [
        ("run", "--clean", "IN", "--out", "data.tar"),
        ("export", "folder", "IN", "pairs.zip"),
        ("train", "autoencoder", "IN", "--run", "run.json"),
        ("evaluate", "IN", "--data", "IN", "--out", "tables.pdf"),
        ("restore", "IN", "IN", "pictures.gif"),
        ("demo", "--out", "demo.png"),
    ],
    ids=lambda command: command[0],
)
def test_no_folder_is_made_under_the_name_of_a_file(cli, tmp_path, monkeypatch, command):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "IN").mkdir()
    ended = cli(*command)
    assert ended.code == 2
    said = " ".join(ended.err.split())
    assert "would be a folder" in said or "names one picture" in said
    assert [path.name for path in tmp_path.iterdir()] == ["IN"]


def test_an_index_that_is_json_is_called_so(cli, finished, tmp_path):
    ended = cli("export", "wids", finished.store.root, tmp_path / "wids.txt")
    assert ended.code == 2
    assert "wids.txt will hold JSON; call it wids.json" in " ".join(ended.err.split())
