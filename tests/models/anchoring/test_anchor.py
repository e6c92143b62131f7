from __future__ import annotations

import cv2
import numpy as np
import pytest

from gends.models.anchoring.anchor import FORMATIONS, anchor
from gends.models.anchoring.kernel import fit_kernel
from gends.models.anchoring.streaks import along_streaks
from gends.models.bundled_photos import PHOTOS
from gends.models.degradations import DEGRADATIONS
from gends.models.degrader import Image, Instruction
from gends.models.parametric import ParametricDegrader

NAMES = tuple(DEGRADATIONS)


@pytest.fixture(scope="module")
def photos() -> list[Image]:
    paths = sorted(PHOTOS.glob("*.jpg"))[:4]
    pictures = [cv2.cvtColor(cv2.imread(str(path)), cv2.COLOR_BGR2RGB) for path in paths]
    return [cv2.resize(image, (192, 128), interpolation=cv2.INTER_AREA) for image in pictures]


def blotched(image: Image) -> Image:
    """As faults of painting are: coloured, some pixels wide, strongest in texture."""
    rng = np.random.default_rng(0)
    noise = cv2.GaussianBlur(rng.standard_normal(image.shape).astype(np.float32), (0, 0), 1.5)
    levels = image.astype(np.float32)
    texture = np.abs(levels - cv2.GaussianBlur(levels, (0, 0), 3)).mean(axis=2, keepdims=True)
    faulty = levels + noise / noise.std() * (6 + 1.5 * texture)
    return np.clip(np.rint(faulty), 0, 255).astype(np.uint8)


def error(a: Image, b: Image) -> float:
    return float(np.square(a.astype(float) - b).mean())


def unlike(lq: Image, wanted: Image, photo: Image) -> float:
    """Share of the change from the photograph that does not follow the wanted one."""
    changes = [(image.astype(float) - photo).ravel() for image in (lq, wanted)]
    return 1 - float(np.corrcoef(*changes)[0, 1]) ** 2


def test_every_degradation_has_a_formation():
    assert FORMATIONS.keys() == DEGRADATIONS.keys()


@pytest.mark.parametrize(
    ("name", "mu", "left"),
    [
        ("haze", 0.06, 0.3),
        ("low_light", 0.1, 0.6),
        ("rain", 0.06, 0.9),
        ("snow", 0.06, 0.96),
        ("motion_blur", 0.02, 0.4),
        ("raindrop", 0.03, 0.95),
    ],
)
def test_faults_of_painting_go_and_the_degradation_stays(
    name: str, mu: float, left: float, photos: list[Image]
):
    instruction = Instruction(degradation=name, mu=mu, sigma=0.06, seed=3)
    results = ParametricDegrader().degrade(photos, [[instruction]] * len(photos))
    before, after = 0.0, 0.0
    for photo, [pair] in zip(photos, results, strict=True):
        painted = blotched(pair.lq)
        before += unlike(painted, pair.lq, photo)
        after += unlike(anchor(name, photo, painted, photo, seed=0), pair.lq, photo)
    assert after < left * before


@pytest.mark.parametrize("name", NAMES)
def test_where_nothing_is_painted_the_photograph_stays(name: str, photos: list[Image]):
    for photo in photos:
        assert error(anchor(name, photo, photo, photo, seed=0), photo) < 5


@pytest.mark.parametrize("name", NAMES)
def test_losses_of_the_autoencoder_are_not_painted(name: str, photos: list[Image]):
    reconstruction = cv2.GaussianBlur(photos[0], (0, 0), 1.5)
    assert error(reconstruction, photos[0]) > 30
    assert error(anchor(name, photos[0], reconstruction, reconstruction, seed=0), photos[0]) < 5


@pytest.mark.parametrize("size", [(1, 1), (2, 3), (9, 40), (64, 33)])
@pytest.mark.parametrize("name", NAMES)
def test_any_size(name: str, size: tuple[int, int]):
    photo, painted = np.random.default_rng(0).integers(0, 256, (2, *size, 3), dtype=np.uint8)
    assert anchor(name, photo, painted, photo, seed=0).shape == photo.shape


@pytest.mark.parametrize("level", [0, 128, 255])
@pytest.mark.parametrize("name", NAMES)
def test_flat_pictures_stay_finite(name: str, level: int):
    flat = np.full((40, 40, 3), level, np.uint8)
    np.testing.assert_array_equal(anchor(name, flat, flat, flat, seed=0), flat)


def test_the_kernel_that_blurred_is_found(photos: list[Image]):
    line = np.zeros((13, 13))
    line[6, 3:10] = np.arange(1, 8) / 28  # rises one way: a kernel turned round is another
    for photo in photos:
        clean = photo.astype(np.float32) / 255
        blurred = cv2.filter2D(clean, -1, line[::-1, ::-1], borderType=cv2.BORDER_REFLECT_101)
        found = fit_kernel(clean, blurred)
        assert found.min() >= 0
        assert found.sum() == pytest.approx(1)
        middle = len(found) // 2
        near = found[middle, middle - 3 : middle + 4]
        assert near.sum() > 0.8
        assert np.average(np.arange(-3, 4), weights=near) == pytest.approx(1, abs=0.3)
        painted = np.rint(blurred * 255).astype(np.uint8)
        assert error(anchor("motion_blur", photo, painted, photo, seed=0), painted) < 4


def noisy(image: Image, deviation: float) -> Image:
    grains = np.random.default_rng(1).standard_normal(image.shape)
    return np.clip(np.rint(image + deviation * grains), 0, 255).astype(np.uint8)


@pytest.mark.parametrize("deviation", [3.0, 8.0])
def test_low_light_is_as_noisy_as_painted(deviation: float, photos: list[Image]):
    grey = np.full((128, 192, 3), 128, np.uint8)
    dark = noisy(grey // 2, deviation)
    for photo, painted in ((grey, dark), (photos[0], noisy(photos[0] // 2, deviation))):
        smooth, first, second = (
            anchor("low_light", photo, image, photo, seed=seed).astype(float)
            for image, seed in ((photo // 2, 0), (painted, 0), (painted, 2**64 - 2))
        )
        assert (first - smooth).std() == pytest.approx(deviation, rel=0.25)
        np.testing.assert_array_equal(
            first, anchor("low_light", photo, painted, photo, seed=0).astype(float)
        )
        assert np.corrcoef((first - smooth).ravel(), (second - smooth).ravel())[0, 1] < 0.05


def test_low_light_is_the_same_all_over_a_scene(photos: list[Image]):
    # What a patch alone was painted darker moves the tones of all, not an edge of its own.
    photo = photos[0]
    painted = photo // 2
    painted[40:80, 60:120] //= 2
    lq = anchor("low_light", photo, painted, photo, seed=0).astype(float)
    change = cv2.GaussianBlur((lq - photo // 2).mean(axis=2), (0, 0), 2)
    assert np.ptp(change[60:62, 40:80]) < 0.3 * photo[60:62, 60:80].mean() / 4


@pytest.mark.parametrize("angle", [20, 60, 90, 130])
def test_streaks_are_told_from_specks_by_the_way_that_rain_falls(angle: int):
    rng = np.random.default_rng(0)
    streaks, specks = np.zeros((2, 160, 160), np.float32)
    step = 9 * np.array([np.cos(np.radians(angle)), np.sin(np.radians(angle))])
    for place in rng.uniform(10, 150, (60, 2)):
        ends = [tuple(int(v) for v in np.rint(place + sign * step)) for sign in (-1, 1)]
        cv2.line(streaks, *ends, 1.0, 1, cv2.LINE_AA)
    specks[tuple(rng.integers(0, 160, (2, 300)))] = 1
    left = along_streaks(streaks + specks)
    assert left[streaks > 0.5].mean() > 4 * left[(specks > 0) & (streaks == 0)].mean()


@pytest.mark.parametrize("name", ["rain", "snow"])
def test_an_edge_that_is_painted_stronger_is_no_body(name: str, photos: list[Image]):
    photo = photos[1]
    grey = photo.astype(np.float32).mean(axis=2)
    detail = grey - cv2.GaussianBlur(grey, (0, 0), 8)
    sharper = np.clip(np.rint(photo + 0.5 * detail[..., None]), 0, 255).astype(np.uint8)
    assert error(anchor(name, photo, sharper, photo, seed=0), photo) < 0.5 * error(sharper, photo)


@pytest.mark.parametrize("level", [40, -40])
@pytest.mark.parametrize("name", ["rain", "snow"])
def test_a_veil_is_as_bright_or_dark_as_painted(name: str, level: int):
    photo = np.full((96, 96, 3), 128, np.uint8)
    lq = anchor(name, photo, np.uint8(128 + level) + np.zeros_like(photo), photo, seed=0)
    assert lq.astype(float).mean() == pytest.approx(128 + level, abs=3)


def test_flakes_do_not_brighten_the_whole(photos: list[Image]):
    rng = np.random.default_rng(0)
    photo = np.full((128, 128, 3), 90, np.uint8)
    painted = photo.copy()
    for x, y in rng.integers(4, 124, (40, 2)):
        cv2.circle(painted, (int(x), int(y)), 2, (240, 240, 240), -1)
    lq = anchor("snow", photo, painted, photo, seed=0).astype(float)
    assert lq.mean() == pytest.approx(painted.mean(), abs=1.5)
    flakes = painted[..., 0] > 200
    assert lq[flakes].mean() > lq[~flakes].mean() + 80


@pytest.mark.parametrize("name", ["rain", "snow"])
def test_bodies_vary_about_as_much_as_what_was_painted(name: str, photos: list[Image]):
    instruction = Instruction(degradation=name, mu=0.06, sigma=0.06, seed=3)
    for photo, [pair] in zip(
        photos, ParametricDegrader().degrade(photos, [[instruction]] * len(photos)), strict=True
    ):
        painted = blotched(pair.lq)
        lq = anchor(name, photo, painted, photo, seed=0)
        spreads = [(image.astype(float) - photo).mean(axis=2).std() for image in (lq, painted)]
        assert spreads[0] == pytest.approx(spreads[1], rel=0.5)


@pytest.mark.parametrize("name", ["haze", "low_light"])
def test_neither_fog_nor_darkness_adds_contrast(name: str, photos: list[Image]):
    for photo in photos:
        middle = photo.astype(float).mean()
        painted = np.clip(np.rint(middle + 2 * (photo - middle)), 0, 255).astype(np.uint8)
        lq = anchor(name, photo, painted, photo, seed=0)
        fine, before = (
            (image - cv2.GaussianBlur(image, (0, 0), 3)).std()
            for image in (lq.astype(np.float32), photo.astype(np.float32))
        )
        assert fine < 1.25 * before
