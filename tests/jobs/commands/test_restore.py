from __future__ import annotations

import io
import json
import tarfile

import numpy as np
import pytest
import torch
from PIL import Image

from gends import PairDataset
from gends.models.restorers.architectures import create, save
from gends.models.tiling import Tiling, restore


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    """A folder of a small NAFNet that changes pictures visibly."""
    folder = tmp_path_factory.mktemp("model")
    restorer = create("nafnet", "tiny", seed=0)
    with torch.no_grad():
        restorer.ending.bias += 0.1
    save(restorer, folder)
    return folder


@pytest.fixture
def pictures(photographs, tmp_path):
    """A tree of pictures of odd sizes, and two files that are none."""
    folder = tmp_path / "in"
    (folder / "deeper" / "still").mkdir(parents=True)
    Image.fromarray(photographs["chelsea"][:101, :77]).save(folder / "a cat.png")
    Image.fromarray(photographs["coffee"][:1, :3]).save(folder / "deeper" / "tiny.bmp")
    Image.fromarray(photographs["rocket"][:90, :200]).save(folder / "deeper/still/wide.jpg")
    (folder / "broken.jpg").write_bytes(b"\xff\xd8\xff\xe0 and no more")
    (folder / "notes.md").write_text("no picture, and not taken for one")
    return folder


def open_picture(path):
    with Image.open(path) as picture:
        return np.array(picture.convert("RGB"))


def test_a_tree_keeps_its_structure_and_what_cannot_be_read_is_named_and_counted(
    cli, model, pictures, tmp_path
):
    out = tmp_path / "out"
    ended = cli("restore", model, pictures, out, "--tile", 64, "--overlap", 16)
    assert ended.code == 0
    assert "3 restored, 1 failed, named above" in ended.out
    assert "failed: broken.jpg: " in ended.err
    found = {str(path.relative_to(out)) for path in out.rglob("*") if path.is_file()}
    assert found == {"a cat.png", "deeper/tiny.png", "deeper/still/wide.png"}
    assert open_picture(out / "deeper/tiny.png").shape == (1, 3, 3)
    cat = open_picture(pictures / "a cat.png")
    by_hand = restore(load_network(model), cat, Tiling(tile=64, overlap=16))
    assert (open_picture(out / "a cat.png") == by_hand).all()
    assert np.abs(by_hand.astype(int) - cat).mean() > 3


def test_names_that_cannot_be_are_named_and_the_others_are_restored(cli, model, tmp_path):
    folder, out = tmp_path / "in", tmp_path / "out"
    names = ["a.jpg", "b" * 222 + ".jpg", "写" * 74 + ".jpg", "c" * 251 + ".jpg", "z.jpg"]
    for name in [*names, "folder.png/x.jpg", "folder.jpg"]:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        Image.radial_gradient("L").resize((32, 32)).save(folder / name)
    ended = cli("restore", model, folder, out, "--format", "webp")
    assert "6 restored, 1 failed, named above" in ended.out
    assert "File name too long" in ended.err
    assert len(list(out.rglob("*.webp"))) == 6
    assert not list(out.rglob(".*"))
    ended = cli("restore", model, folder, out)  # folder.png is a picture and a folder
    assert "6 restored, 1 failed, named above" in ended.out
    assert "failed: folder" in ended.err
    ended = cli("restore", model, folder, out)
    assert "0 restored, 6 there already (--overwrite makes them again), 1 failed" in ended.out


def load_network(folder):
    from gends.models.restorers.architectures import load  # noqa: PLC0415

    return load(folder)


def test_what_is_there_stays_unless_it_is_asked_for(cli, model, pictures, tmp_path):
    out = tmp_path / "out"
    (out / "deeper").mkdir(parents=True)
    mine = out / "deeper" / "tiny.png"
    mine.write_text("mine")
    ended = cli("restore", model, pictures, out)
    assert ended.code == 0
    assert "2 restored, 1 there already (--overwrite makes them again), 1 failed" in ended.out
    assert mine.read_text() == "mine"
    assert "3 restored, 1 failed" in cli("restore", model, pictures, out, "--overwrite").out
    assert open_picture(mine).shape == (1, 3, 3)
    assert not list(out.rglob(".*"))


def test_a_single_picture_to_a_file_or_into_a_folder(cli, model, pictures, tmp_path):
    source, out = pictures / "a cat.png", tmp_path / "clear.webp"
    assert cli("restore", model, source, out).code == 0
    assert out.read_bytes()[8:12] == b"WEBP"
    ended = cli("restore", model, source, out)
    assert ended.code == 2
    assert "clear.webp is there already; --overwrite replaces it" in ended.err
    assert cli("restore", model, source, tmp_path / "folder").code == 0
    assert (open_picture(tmp_path / "folder" / "a cat.png") == open_picture(out)).all()


def test_an_input_that_is_all_bad_exits_2(cli, model, pictures, tmp_path):
    ended = cli("restore", model, pictures / "broken.jpg", tmp_path / "out.png")
    assert ended.code == 2
    assert "failed: broken.jpg" in ended.err
    assert "0 restored, 1 failed" in ended.out
    assert not (tmp_path / "out.png").exists()


def test_the_pairs_of_a_dataset_by_key_and_members_of_a_tar(cli, model, finished, tmp_path):
    out = tmp_path / "restored"
    ended = cli("restore", model, finished.store.root, out)
    keys = {pair["key"] for pair in PairDataset(finished.store.root)}
    assert f"{len(keys)} restored" in ended.out
    assert {path.name for path in out.iterdir()} == {*(f"{k}.png" for k in keys), "restored.json"}
    with tarfile.open(tmp_path / "some.tar", "w") as tar:
        data = (out / f"{min(keys)}.png").read_bytes()
        member = tarfile.TarInfo("inside/one.png")
        member.size = len(data)
        tar.addfile(member, io.BytesIO(data))
    assert cli("restore", model, tmp_path / "some.tar", tmp_path / "of tar").code == 0
    assert (tmp_path / "of tar" / "some" / "inside" / "one.png").is_file()


def test_a_folder_takes_the_pictures_of_one_dataset_and_one_model(
    cli, model, finished, photos, build_dataset, pictures, tmp_path
):
    root, out = finished.store.root, tmp_path / "restored"
    # The same photographs and requests, so the same keys, and other degraded pictures.
    other = build_dataset(photos, tmp_path / "other", seed=1).store.root
    keys = [{pair["key"] for pair in PairDataset(place)} for place in (root, other)]
    assert len(keys[0] & keys[1]) > 10
    assert cli("restore", model, root, out).code == 0
    assert "0 restored" in cli("restore", model, root, out).out
    before = {path.name: path.read_bytes() for path in out.iterdir()}
    second = tmp_path / "second"
    save(create("nafnet", "tiny", seed=1), second)
    for arguments, words in (
        ((model, other), "holds restored pictures of another dataset"),
        ((second, root), "holds restored pictures by another model"),
        ((second, other, "--overwrite"), "of another dataset"),
        ((model, pictures), "of a dataset, and IN is none"),
    ):
        ended = cli("restore", *arguments[:2], out, *arguments[2:])
        assert ended.code == 2
        assert words in ended.err
        assert "name another OUT" in ended.err
    assert {path.name: path.read_bytes() for path in out.iterdir()} == before
    data = json.loads((out / "restored.json").read_text())
    parts = ({"model_digest": 5}, {"data": {"shards": ["0"]}}, {"trained_on": {}})
    for damaged in ({}, *(data | part for part in parts)):
        (out / "restored.json").write_text(json.dumps(damaged))
        assert "restored.json: damaged" in cli("restore", model, root, out).err
    (out / "restored.json").unlink()
    assert "and no restored.json says of which" in cli("restore", model, root, out).err


@pytest.mark.parametrize(
    ("out", "words"),
    [
        ("in/out", "in/out lies in"),
        ("in", "lies in"),
        ("clear.png", "names one picture, and IN is not one"),
    ],
)
def test_places_that_would_end_badly_are_refused(cli, model, pictures, tmp_path, out, words):
    before = sorted(tmp_path.rglob("*"))
    ended = cli("restore", model, pictures, tmp_path / out)
    assert ended.code == 2
    assert words in " ".join(ended.err.split())
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize("flags", [[], ["--overwrite"]])
def test_a_result_never_takes_the_place_of_what_it_is_of(cli, model, tmp_path, flags):
    inside = tmp_path / "in"
    inside.mkdir()
    for name in ("a.png", "b.jpg"):
        Image.new("RGB", (8, 8), "red").save(inside / name)
    (inside / "list.txt").write_text("b.jpg\na.png\n")
    (tmp_path / "linked.png").symlink_to(inside / "a.png")
    before = {path: path.read_bytes() for path in inside.iterdir()}
    for source, out in (
        ("in/list.txt", "in"),
        ("in/a.png", "in"),
        ("in/a.png", "in/../in/a.png"),
        ("in/a.png", "linked.png"),
        ("linked.png", "in/a.png"),
    ):
        ended = cli("restore", model, tmp_path / source, tmp_path / out, *flags)
        assert (ended.code, ended.out) == (2, "")
        assert ".png is one of the pictures to restore; name another OUT" in ended.err
    assert {path: path.read_bytes() for path in inside.iterdir()} == before


def test_pictures_outside_of_the_sources_folder_are_restored_when_that_is_asked_for(
    cli, model, pictures, tmp_path
):
    lists = tmp_path / "lists"
    lists.mkdir()
    (lists / "list.txt").write_text(f"../in/a cat.png\n{pictures}/deeper/tiny.bmp\n")
    ended = cli("restore", model, lists / "list.txt", tmp_path / "out")
    assert ended.code == 2
    assert "or allow it: --outside" in ended.err
    out = tmp_path / "deep" / "out"
    assert "2 restored" in cli("restore", model, lists / "list.txt", out, "--outside").out
    assert {path.name for path in out.rglob("*.png")} == {"a cat.png", "tiny.png"}
    assert [path.name for path in out.parent.iterdir()] == ["out"]
    (lists / "a cat.png").symlink_to(pictures / "a cat.png")
    ended = cli("restore", model, lists, pictures, "--outside", "--overwrite")
    assert "in/a cat.png is one of the pictures to restore" in ended.err


def test_what_the_format_cannot_hold_is_named_and_the_others_are_restored(cli, model, tmp_path):
    (tmp_path / "in").mkdir()
    for name, width in (("a", 8), ("long", 16384), ("z", 8)):
        Image.new("RGB", (width, 1)).save(tmp_path / "in" / f"{name}.png")
    flags = ("--tile", 2048, "--format", "webp")
    ended = cli("restore", model, tmp_path / "in", tmp_path / "out", *flags)
    assert ended.code == 0
    assert "failed: long.png: 16384x1 pixels make no webp (" in ended.err
    assert "2 restored, 1 failed" in ended.out
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["a.webp", "z.webp"]


def test_two_pictures_of_one_name_are_refused(cli, model, pictures, tmp_path):
    Image.new("RGB", (8, 8)).save(pictures / "a cat.jpg")
    ended = cli("restore", model, pictures, tmp_path / "out")
    assert ended.code == 2
    assert "a cat.jpg and a cat.png would both become a cat.png" in ended.err


def test_no_model_and_no_pictures_are_refused(cli, model, pictures, tmp_path):
    (tmp_path / "empty").mkdir()
    ended = cli("restore", tmp_path / "empty", pictures, tmp_path / "out")
    assert ended.code == 2
    assert "holds no restorer" in ended.err
    ended = cli("restore", model, tmp_path / "empty", tmp_path / "out")
    assert ended.code == 2
    assert "no pictures" in ended.err


def test_nothing_is_written_behind_a_link_in_the_output(cli, model, pictures, tmp_path):
    out, victim = tmp_path / "out", tmp_path / "victim"
    victim.mkdir()
    (victim / "tiny.png").write_text("precious")
    out.mkdir()
    (out / "deeper").symlink_to(victim)
    ended = cli("restore", model, pictures, out, "--overwrite")
    assert ended.code == 1
    assert "out/deeper is a link: nothing is written or deleted behind one" in ended.err
    assert [path.name for path in victim.iterdir()] == ["tiny.png"]
    assert (victim / "tiny.png").read_text() == "precious"
