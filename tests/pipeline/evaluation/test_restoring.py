from __future__ import annotations

import errno
import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from gends.pipeline.evaluation.restoring import BadPictureError, encode_restored, restorables
from gends.pipeline.format.decode import decode
from gends.pipeline.storage.store import StorageError


@pytest.mark.parametrize(("target", "most"), [("a.webp", 16383), ("a.jpg", 65500)])
def test_more_than_a_format_can_hold_is_the_pictures_fault(target, most):
    image = np.full((1, most + 1, 3), 90, np.uint8)
    assert decode(encode_restored(image[:, 1:], target)).shape == (1, most, 3)
    with pytest.raises(BadPictureError, match=f"{most + 1}x1 pixels make no "):
        encode_restored(image, target)


@pytest.fixture
def two(photographs, tmp_path):
    """What is to be restored of a folder of two pictures."""
    folder = tmp_path / "in"
    folder.mkdir()
    for name in ("a.png", "b.png"):
        Image.fromarray(photographs["chelsea"][:40, :40]).save(folder / name)
    return folder, restorables(folder, max_pixels=10_000)


def test_pictures_that_are_gone_with_their_folder_stop_and_one_alone_fails(tmp_path):
    folder = tmp_path / "in"
    folder.mkdir()
    for name in ("a", "b"):
        Image.new("RGB", (16, 16)).save(folder / f"{name}.png")
    one, other = restorables(folder, max_pixels=1000, suffix=".png")
    (folder / "a.png").unlink()
    with pytest.raises(BadPictureError, match="No such file"):
        one.read()
    (folder / "b.png").unlink()
    with pytest.raises(StorageError, match=r"b\.png is not there any more .*mount their disk"):
        other.read()


@pytest.mark.parametrize("number", [errno.EIO, errno.EMFILE, errno.ESTALE])
def test_what_the_machine_refuses_is_no_fault_of_a_picture(two, monkeypatch, number):
    def refuse(path):
        raise OSError(number, os.strerror(number), str(path))

    monkeypatch.setattr(Path, "read_bytes", refuse)
    with pytest.raises(StorageError, match=os.strerror(number)):
        two[1][0].read()
