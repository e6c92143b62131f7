import pytest
import torch
from torch.nn import functional as F

from gends.models.restorers.padding import mirrored


@pytest.mark.parametrize(("height", "width"), [(20, 29), (16, 17), (9, 32), (23, 9)])
def test_it_is_a_reflection(height, width):
    x = torch.rand(2, 3, height, width, generator=torch.Generator().manual_seed(0))
    expected = F.pad(x, (0, -width % 16, 0, -height % 16), mode="reflect")
    assert torch.equal(mirrored(x, 16), expected)


def test_an_image_that_fits_is_not_copied():
    x = torch.rand(1, 3, 16, 32)
    assert mirrored(x, 16) is x


def test_a_small_image_goes_back_and_forth():
    row = torch.tensor([1.0, 2.0, 3.0]).view(1, 1, 1, 3).expand(1, 1, 8, 3)
    assert mirrored(row, 8)[0, 0, 0].tolist() == [1, 2, 3, 2, 1, 2, 3, 2]
    assert mirrored(torch.full((1, 1, 1, 1), 5.0), 4).tolist() == [[[[5.0] * 4] * 4]]


def test_gradients_reach_the_image():
    x = torch.rand(1, 1, 3, 3, requires_grad=True)
    mirrored(x, 4).sum().backward()
    assert x.grad.flatten().tolist() == [1, 2, 1, 2, 4, 2, 1, 2, 1]
