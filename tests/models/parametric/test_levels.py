from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import skimage.data
from skimage.util import img_as_ubyte

from gends.models.parametric.calibrate import calibrate, main
from gends.models.parametric.catalog import OPERATIONS
from gends.models.parametric.levels import (
    LEVELS,
    level_strengths,
    levels_of,
    read,
    staleness,
    stored_levels,
)
from gends.models.parametric.operation import Operation, Parameters, Renderer
from gends.models.parametric.parameter import Scale
from gends.models.pixels import Photo

SEEDS = range(100, 104)
"""None of those that the levels were measured with."""


@pytest.fixture(params=list(OPERATIONS))
def operation(request: pytest.FixtureRequest) -> Operation:
    return OPERATIONS[request.param]


def _bits(usual: tuple[float, float]) -> Operation:
    """Truncation to 8 … 2 bits: a staircase of as many steps as there are bits."""

    def prepare(image: Photo, parameters: Parameters, seed: int) -> Renderer:
        def render(strength: float) -> Photo:
            steps = 2 ** round(8 - 6 * strength)
            return np.asarray(np.floor(image * 255 / 256 * steps) / steps, np.float32)

        return render

    return replace(
        OPERATIONS["haze"],
        name="bits",
        draw=lambda rng: {},
        parameters={},
        prepare=prepare,
        needs_depth=False,
        usual=usual,
        scale=Scale(name="bits", meaning="bits kept", zero=8, full=2, is_whole=True),
    )


def test_every_operation_is_measured_as_it_is(operation: Operation):
    assert staleness(operation, stored_levels().get(operation.name)) == ""


def test_nothing_is_stored_of_operations_that_are_gone():
    assert set(stored_levels()) <= set(OPERATIONS)


def test_levels_span_the_usual_strengths(operation: Operation):
    strengths = level_strengths(operation.name)
    assert len(strengths) == LEVELS
    assert list(strengths) == sorted(strengths)
    known = [operation.scale.value(s) for s in strengths] if operation.scale else strengths
    ends = [operation.scale.value(s) if operation.scale else s for s in operation.usual]
    assert [known[0], known[-1]] == pytest.approx(ends)


def test_mu_rises_from_level_to_level(operation: Operation, photos: list[np.ndarray]):
    strengths = level_strengths(operation.name)
    mu = np.zeros(LEVELS)
    for number, photo in enumerate(photos):
        image = photo / np.float32(255)
        for seed in SEEDS:
            parameters = operation.draw(np.random.default_rng((seed, number)))
            render = operation.renderer(image, parameters, seed)
            made = [np.rint(np.clip(render(s), 0, 1) * 255) for s in strengths]
            mu += [np.abs(one - photo.astype(np.float32)).mean() for one in made]
    rises, repeats = np.diff(mu) > 0, np.diff(strengths) == 0
    assert (rises | repeats).all()
    is_stepped = operation.scale is not None and operation.scale.is_whole
    assert is_stepped or not repeats.any()


def test_the_measured_steps_are_even(operation: Operation):
    if operation.scale is not None and operation.scale.is_whole:
        pytest.skip("it has no settings in between")
    steps = np.diff(levels_of(operation).mu)
    assert np.abs(steps / steps.mean() - 1).max() < 0.15


def test_new_levels_are_even_and_always_the_same():
    """Rain's severity is far from proportional to its strength."""
    photographs = [img_as_ubyte(skimage.data.astronaut()[:128, :128])]
    one, two = (calibrate(OPERATIONS["rain"], photographs, seeds=2) for _ in range(2))
    assert one == two
    assert len(one.strengths) == len(one.mu) == len(one.sigma) == LEVELS
    steps = np.diff(one.mu)
    assert np.abs(steps / steps.mean() - 1).max() < 0.2


def test_a_staircase_gets_each_of_its_steps():
    photographs = [skimage.data.coffee()[:128, :128]]
    few = calibrate(_bits((1 / 6, 1.0)), photographs, seeds=1)
    kept = [8 - 6 * strength for strength in few.strengths]
    assert kept == sorted(kept, reverse=True)
    assert {round(bits) for bits in kept} == {7, 6, 5, 4, 3, 2}


def test_a_long_staircase_gets_ten_of_its_steps():
    """Also where the first few settings do nearly all there is to do."""

    def prepare(image: Photo, parameters: Parameters, seed: int) -> Renderer:
        return lambda strength: image * np.float32(1 - 0.4 * min(1, 4 * strength) - 0.1 * strength)

    quality = Scale(name="quality", meaning="of a coder", zero=100, full=0, is_whole=True)
    stepped = replace(_bits((0.1, 1.0)), scale=quality, prepare=prepare)
    levels = calibrate(stepped, [skimage.data.coffee()[:128, :128]], seeds=1)
    assert len(set(levels.strengths)) == LEVELS
    assert all(abs(100 * s - round(100 * s)) < 1e-9 for s in levels.strengths)


def test_a_changed_operation_is_refused_with_the_command(monkeypatch):
    changed = replace(OPERATIONS["haze"], version=99)
    with pytest.raises(ValueError, match=r"version 99: run python -m .*calibrate PHOTOS"):
        levels_of(changed)
    with pytest.raises(ValueError, match="usual are now"):
        levels_of(replace(OPERATIONS["haze"], usual=(0.2, 0.9)))
    with pytest.raises(ValueError, match="hail are not measured"):
        levels_of(replace(OPERATIONS["haze"], name="hail"))
    with pytest.raises(ValueError, match="no operation 'hail'"):
        level_strengths("hail")


def test_the_builder_measures_what_changed_alone(tmp_path, photos, capsys):
    from PIL import Image  # noqa: PLC0415

    for number, photo in enumerate(photos[:2]):
        Image.fromarray(photo).save(tmp_path / f"{number}.png")
    out = tmp_path / "levels.json"
    few = [str(tmp_path), "--seeds", "1", "--out", str(out), "--operations", "haze,rain"]
    assert main(few) == 0
    assert list(read(out)) == ["haze", "rain"]
    assert read(out)["haze"].photographs == 2
    version = f'"version": {OPERATIONS["haze"].version}'
    text = out.read_text().replace(version, '"version": 0', 1)
    out.write_text(text)
    rest = [str(tmp_path), "--seeds", "1", "--out", str(out)]
    capsys.readouterr()
    main(rest)
    told = capsys.readouterr().err
    assert f"{len(OPERATIONS) - 1} operations on 2" in told  # all but rain
    assert " rain: mu" not in told
    assert list(read(out)) == list(OPERATIONS)
    main(rest)
    assert "as they were measured" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        main([str(tmp_path), "--operations", "sleet"])
    assert "no operation sleet" in capsys.readouterr().err
