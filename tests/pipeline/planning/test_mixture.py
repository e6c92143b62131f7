from __future__ import annotations

import re

import pytest

from gends.models.degradations import DEGRADATIONS
from gends.pipeline.planning.config import BuildConfig, ConfigError
from gends.pipeline.planning.config_file import load_config
from gends.pipeline.planning.mixture import engine_of, is_local, single
from gends.pipeline.planning.steps import parse_steps

pytestmark = pytest.mark.usefixtures("made_up")


def written(tmp_path, text):
    path = tmp_path / "build.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def mixture(*lines: str) -> str:
    """A configuration whose only mixture has these lines, from line 2."""
    first, *rest = lines
    return "\n".join(["mixtures:", f"  - {first}", *(f"    {line}" for line in rest)])


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (mixture("steps: [haze]"), r"mixtures\[0\].name: .*required.* in line 2$"),
        (mixture("name: m"), r"mixtures\[0\].steps: .*required.* in line 2$"),
        (mixture("name: Big", "steps: [haze]"), r"\.name: 'Big' is no label; use up to 60 .* 2$"),
        (mixture("name: a-b", "steps: [haze]"), r"\.name: 'a-b' is no label"),
        (mixture("name: 9a", "steps: [haze]"), r"\.name: '9a' is no label"),
        (mixture(f"name: {'a' * 61}", "steps: [haze]"), r"\.name: 'a+' is no label"),
        (mixture("name: m", "step: [haze]"), r"\.step: unknown key 'step'; did you mean 'steps'\?"),
        (mixture("name: m", "steps: [haze]", "wieght: 2"), r"did you mean 'weight'\? in line 4$"),
        (mixture("name: m", "steps: [haze]", "order: random"), r"\.order: unknown value 'random'"),
        (mixture("name: m", "steps: [haze]", "weight: 0"), r"\.weight: .*got 0.* in line 4$"),
        (mixture("name: m", "steps: [haze]", "pairs: 0"), r"\.pairs: .*got 0.* in line 4$"),
        (
            mixture("name: m", "steps: [haze]", "pairs: 100000000000000000000"),
            r"\.pairs: must be at most 1000000000 \(got 1000+\) in line 4$",
        ),
        (
            mixture("name: m", "step: [haze]"),
            r"mixtures\[0\]\.step: unknown key 'step'.*; mixtures\[0\]\.steps: .*required",
        ),
        (mixture("name: m", "steps: [haze]", "pairs: 1.5"), r"\.pairs: .*got 1.5"),
        (
            mixture("name: m", "steps: [haze]", "regions: {count: [3, 2]}"),
            r"\.regions: count is \[3, 2\]; give a range from 1 to 16, the lower end first in l",
        ),
        (
            mixture("name: m", "steps: [haze]", "regions: {count: 17}"),
            r"\.regions: count is \[17, 17\]; give a range from 1 to 16",
        ),
        (
            mixture("name: m", "steps: [haze]", "regions: {feather: [-1, 8]}"),
            r"\.regions: feather is \[-1, 8\]; give a range from 0 to 64",
        ),
        (
            mixture("name: m", "steps: [haze]", "regions: {shape: circles}"),
            r"\.regions\.shape\[0\]: unknown value 'circles'; did you mean 'rectangles'\? in l",
        ),
        (
            mixture("name: m", "steps: [haze]", "regions: {shape: vornoi}"),
            r"unknown value 'vornoi'; did you mean 'voronoi'\? in line 4$",
        ),
        (
            mixture("name: m", "steps: [haze]", "regions: {shape: []}"),
            r"\.regions\.shape: shape is empty; give one or more of rectangles, voronoi in l",
        ),
        ("mixtures: []", r"mixtures is empty; list at least one, or leave the key out"),
        ("mixtures:", r"mixtures is empty; list at least one, or leave the key out"),
        (
            mixture("name: m", "steps: [haze]", "regions: {feathre: 3}"),
            r"\.regions\.feathre: unknown key 'feathre'; did you mean 'feather'\? in line 4$",
        ),
        (
            "mixtures:\n  - {name: m, steps: [haze]}\n  - {name: m, steps: [rain]}",
            r"mixtures\[1\].name: two mixtures are called 'm'; .* in line 3$",
        ),
        (
            "degradations: [haze]\nmixtures: [{name: m, steps: [haze]}]",
            r"degradations and mixtures are both given; make each degradation a mixture",
        ),
        (
            "fit: native\nmixtures: [{name: m, steps: [{op: haze, engine: gendeg}]}]",
            r"fit: fit is native, but the diffusion model paints squares of one size.* in line 1$",
        ),
        (
            "engine: parametric\nmixtures: [{name: m, weight: 2, steps: [haze]}]",
            r"mixture m has a weight, which per_image draws by; set per_image",
        ),
        (
            "per_image: 2\nmixtures: [{name: m, steps: [haze]}]",
            r"per_image is 2, but mixtures are only 1",
        ),
        (
            "engine: parametric\nmembers: [mask]\nmixtures: [{name: m, steps: [haze, grain]}]",
            r"members: a mask is asked for, but mixture m has no .*spot.* in line 2$",
        ),
        (
            "engine: parametric\nmembers: [bits]\nmixtures: [{name: m, steps: [haze]}]",
            r"a mask is asked for, but mixture m has no regions",
        ),
        (
            # Painted drops are where the model put them.
            "engine: gendeg\nmembers: [mask]\ndegradations: [raindrop]",
            r"a mask is asked for, but mixture raindrop has no regions",
        ),
        ("members: [masks]\ndegradations: [haze]", r"members.*'masks'; did you mean 'mask'\?"),
        (
            mixture("name: rain", "steps: [rain, haze]"),
            r"mixtures\[0\]\.name: rain is the name of an operation, and these steps are haze, ra",
        ),
    ],
)
def test_what_cannot_be_is_refused(tmp_path, text, says):
    path = written(tmp_path, text)
    with pytest.raises(ConfigError) as caught:
        load_config(path, {})
    message = str(caught.value)
    assert message.startswith(f"{path}: ")
    assert re.search(says, message), message


def test_a_mask_is_given_by_one_step_in_a_place_or_by_regions(tmp_path):
    head = "engine: parametric\nmembers: [mask]\n"
    for one in (
        "{name: m, steps: [haze, {op: spot, probability: 0.5}]}",
        "{name: m, steps: [{one_of: [haze, spot]}]}",
        "{name: m, steps: [haze], regions: {}}",
        "{name: m, steps: [haze], regions: {count: 3, shape: voronoi, feather: 2}}",
    ):
        config = load_config(written(tmp_path, f"{head}mixtures: [{one}]"), {})
        assert config.members == ("mask",)


def test_a_single_value_of_regions_is_a_range_of_one(tmp_path):
    text = "mixtures: [{name: m, steps: [haze], regions: {count: 3, shape: voronoi, feather: 2}}]"
    (one,) = load_config(written(tmp_path, text), {}).mixtures
    regions = one.regions
    assert (regions.count, regions.shape, regions.feather) == ((3, 3), ("voronoi",), (2, 2))


def test_degradations_are_short_for_mixtures_of_one_step():
    config = BuildConfig(degradations=("haze", "rain"))
    assert config.wanted == (single("haze"), single("rain"))
    assert config.labels == ("haze", "rain")
    assert BuildConfig().labels == tuple(DEGRADATIONS)
    given = [{"name": "m", "steps": ["haze"]}]
    config = BuildConfig.model_validate({"mixtures": given})
    assert (config.labels, config.degradations) == (("m",), None)


def test_operations_of_a_mixture_are_all_that_may_take_part():
    given = {
        "name": "m",
        "steps": ["rain", {"one_of": ["haze", {"some_of": ["spot"], "count": 0}]}],
    }
    (one,) = BuildConfig.model_validate({"mixtures": [given]}).mixtures
    assert one.ops == {"rain", "haze", "spot"}


@pytest.mark.parametrize(
    ("step", "build", "engine"),
    [
        ("haze", "gendeg", "gendeg"),
        ("haze", "parametric", "parametric"),
        ("haze", "dry", "dry"),
        ({"op": "haze", "mu": 0.1, "sigma": 0.1}, "gendeg", "gendeg"),
        ({"op": "haze", "strength": 0.5}, "gendeg", "parametric"),
        ({"op": "haze", "level": 5}, "dry", "parametric"),
        ({"op": "haze", "engine": "parametric"}, "gendeg", "parametric"),
        ({"op": "haze", "engine": "gendeg"}, "parametric", "gendeg"),
        ("grain", "gendeg", "parametric"),
        ("grain", "dry", "parametric"),
    ],
)
def test_a_step_goes_to_its_own_engine_the_builds_or_the_formulas(step, build, engine):
    (template,) = parse_steps([step]).templates
    assert engine_of(template, build) == engine
    config = BuildConfig.model_validate(
        {"engine": build, "mixtures": [{"name": "m", "steps": [step, "grain"]}]}
    )
    assert config.engines == tuple(sorted({engine, "parametric"}))


def test_only_formulas_of_local_operations_say_where_they_are():
    raindrop, spot, haze = parse_steps(["raindrop", "spot", "haze"]).templates
    assert is_local(raindrop, "parametric")
    assert not is_local(raindrop, "gendeg")
    assert is_local(spot, "gendeg")
    assert not is_local(haze, "parametric")
