from __future__ import annotations

from PIL import Image


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
    assert "unknown degradation 'fog'; known: haze" in ended.err
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


def test_only_another_png_is_written_over(cli, finished, tmp_path):
    tar = tmp_path / "000000.tar"
    tar.write_bytes(b"pairs")
    ended = cli("show", finished.store.root, "--out", tar)
    assert ended.code == 2
    assert f"{tar} is there and is no PNG; name another file" in ended.err
    assert tar.read_bytes() == b"pairs"
    for _ in range(2):
        assert cli("show", finished.store.root, "--out", tmp_path / "s.png").code == 0


def test_a_folder_that_is_not_there_is_said_before_anything_is_read(cli, tmp_path):
    out = tmp_path / "gone" / "result.json"
    for command in (["show", tmp_path], ["histograms", "fit", tmp_path]):
        ended = cli(*command, "--out", out)
        assert ended.code == 2
        assert f"'--out': {tmp_path / 'gone'} is no folder" in " ".join(ended.err.split())
