"""What holds for every operation."""

from __future__ import annotations

import json
import re

import cv2
import numpy as np
import pytest

from gends.models.degradations import DEGRADATIONS
from gends.models.parametric.catalog import OPERATIONS
from gends.models.parametric.operation import STAGES, Operation, Parameters
from gends.models.pixels import Photo, to_float

SEEDS = range(12)
WITH_FIELDS: dict[str, Parameters] = {
    "motion_blur": {"tremor": 1.0},
    "defocus": {"kind": "depth"},
    "low_light": {"locality": 1.0, "kind": "sensor"},
    "overexposure": {"locality": 1.0},
    "banding": {"line_sigma": 8.0},
}
"""Parameters that need the random fields, where some draws do not."""


@pytest.fixture(params=list(OPERATIONS))
def operation(request: pytest.FixtureRequest) -> Operation:
    return OPERATIONS[request.param]


def test_every_degradation_of_the_model_has_an_operation():
    assert set(OPERATIONS) >= set(DEGRADATIONS)


def test_names_and_labels_are_each_used_once():
    assert all(re.fullmatch("[a-z][a-z0-9_]*", name) for name in OPERATIONS)
    labels = [operation.label for operation in OPERATIONS.values()]
    assert len(set(labels)) == len(labels)
    assert min(labels) >= 1
    assert max(labels) < 255


def test_no_parameter_has_the_name_of_a_key_of_steps(operation: Operation):
    keys = {"op", "engine", "probability", "strength", "level", "mu", "sigma", "seed"}
    assert not keys & set(operation.parameters)


def test_operations_are_listed_in_the_order_of_their_stages():
    order = [STAGES.index(operation.stage) for operation in OPERATIONS.values()]
    assert order == sorted(order)


def test_what_is_drawn_is_declared_and_in_range(operation: Operation):
    for seed in range(100):
        drawn = operation.draw(np.random.default_rng(seed))
        assert list(drawn) == list(operation.parameters)
        for name, value in drawn.items():
            operation.parameters[name].check(name, value)


def test_the_usual_strengths_are_a_range(operation: Operation):
    mild, severe = operation.usual
    assert 0 < mild < severe <= 1


def test_strength_zero_gives_the_image_back(operation: Operation, photo: Photo):
    for seed in SEEDS:
        parameters = operation.draw(np.random.default_rng(seed))
        np.testing.assert_array_equal(operation.apply(photo, parameters, 0.0, seed), photo)


def test_strength_zero_gives_numbers_between_two_bytes_back(operation: Operation):
    numbers = np.random.default_rng(0).random((40, 56, 3), np.float32)
    parameters = operation.draw(np.random.default_rng(0))
    same = operation.apply(numbers, parameters, 0.0, 0)
    assert same.dtype == np.float32
    np.testing.assert_array_equal(same, numbers)


def test_severity_does_not_fall_as_strength_rises(operation: Operation, photos: list[np.ndarray]):
    # Over several photographs: a grid of samples hits or misses the details of a single one.
    images = [to_float(photo) for photo in photos]
    for seed in SEEDS:
        parameters = operation.draw(np.random.default_rng(seed))
        severities = np.zeros(21)
        for image in images:
            render = operation.renderer(image, parameters, seed)
            severities += [np.abs(render(s) - image).mean() for s in np.linspace(0, 1, 21)]
        assert np.diff(severities / len(images)).min() > -5e-4
        assert severities[-1] / len(images) > 0.01


def test_severity_has_no_jumps(operation: Operation, photo: Photo):
    strengths = (0.4, 0.4005, 0.401)
    for seed in SEEDS:
        render = operation.renderer(photo, operation.draw(np.random.default_rng(seed)), seed)
        near = [float(np.abs(render(s) - photo).mean()) for s in strengths]
        steps = np.diff(near)[~_is_step(operation, strengths)]
        assert np.abs(steps).max(initial=0) < 0.7 / 128 / 2


def _is_step(operation: Operation, strengths: tuple[float, ...]) -> np.ndarray:
    """Between which neighbours a quantity of whole numbers goes on to its next value."""
    if operation.scale is None or not operation.scale.is_whole:
        return np.zeros(len(strengths) - 1, bool)
    return np.diff([operation.scale.value(s) for s in strengths]) != 0


def test_whole_numbers_are_stairs(operation: Operation, photo: Photo):
    scale = operation.scale
    if scale is None or not scale.is_whole:
        return
    parameters = operation.draw(np.random.default_rng(1))
    render = operation.renderer(photo, parameters, 1)
    low, high = sorted((scale.zero, scale.full))
    for value in np.linspace(low, high, 7).round():
        strength = scale.strength(value)
        assert scale.value(strength) == value
        beside = strength + 0.4 / abs(scale.full - scale.zero) * (1 if strength < 0.5 else -1)
        if strength > 0:
            np.testing.assert_array_equal(render(beside), render(strength))


def test_equal_arguments_give_equal_images(operation: Operation, photo: Photo):
    parameters = operation.draw(np.random.default_rng(5))
    assert parameters == operation.draw(np.random.default_rng(5))
    first, second = (operation.apply(photo, parameters, 0.6, 9) for _ in range(2))
    np.testing.assert_array_equal(first, second)


def test_the_seed_moves_the_random_fields(operation: Operation, photo: Photo):
    parameters = operation.draw(np.random.default_rng(5)) | WITH_FIELDS.get(operation.name, {})
    first, second = (operation.apply(photo, parameters, 0.6, seed) for seed in (1, 2))
    assert (np.abs(first - second).mean() > 1e-3) == operation.uses_seed
    assert operation.uses_seed or (first == second).all()


def test_bytes_do_not_depend_on_the_number_of_threads(operation: Operation, photo: Photo):
    parameters = operation.draw(np.random.default_rng(3))
    large = cv2.resize(photo, (520, 390))
    before = cv2.getNumThreads()
    try:
        cv2.setNumThreads(1)
        one = operation.apply(large, parameters, 0.6, 3)
        cv2.setNumThreads(4)
        four = operation.apply(large, parameters, 0.6, 3)
    finally:
        cv2.setNumThreads(before)
    np.testing.assert_array_equal(one, four)


@pytest.mark.parametrize("size", [(96, 96), (97, 151), (300, 128)])
def test_any_size_and_shape(operation: Operation, photo: Photo, size: tuple[int, int]):
    image = cv2.resize(photo, size[::-1])
    for seed in SEEDS:
        out = operation.apply(image, operation.draw(np.random.default_rng(seed)), 0.7, seed)
        assert out.shape == image.shape
        assert out.dtype == np.float32
        assert np.isfinite(out).all()


def test_the_image_is_left_as_it_was(operation: Operation, photo: Photo):
    before = photo.copy()
    operation.apply(photo, operation.draw(np.random.default_rng(0)), 0.8, 0)
    np.testing.assert_array_equal(photo, before)


def test_parameters_survive_json(operation: Operation, photo: Photo):
    parameters = operation.draw(np.random.default_rng(2))
    assert json.loads(json.dumps(parameters)) == parameters


def test_strength_outside_its_range_is_refused(operation: Operation, photo: Photo):
    with pytest.raises(ValueError, match=r"strength of .* is 1\.5; it must lie in \[0, 1\]"):
        operation.apply(photo, operation.draw(np.random.default_rng(0)), 1.5, 0)
