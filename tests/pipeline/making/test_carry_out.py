from __future__ import annotations

import json
from collections.abc import Sequence

import numpy as np
import pytest
from plans import all_requests, make_plan

from gends.models.degrader import Degraded, Image
from gends.models.dry import DryDegrader
from gends.models.grounds.ground import draw_ground
from gends.models.parametric.engine import ParametricDegrader, replay
from gends.pipeline.making.carry_out import Pair, Task, carry_out
from gends.pipeline.planning.config import BuildConfig
from gends.pipeline.seeds import draw_seed
from gends.pipeline.types import Request

pytestmark = pytest.mark.usefixtures("made_up")

THREE = [{"op": "haze", "engine": "gendeg"}, "grain", {"op": "rain", "engine": "gendeg"}]
FORMULAS = [
    {"op": "haze", "strength": 0.4},
    {"op": "rain", "level": 6},
    {"op": "grain", "mu": 0.05},
]


class Listening:
    """Remembers what another engine was given, and what it made of it."""

    def __init__(self, inner, engine: str) -> None:
        self.inner, self.engine = inner, engine
        self.calls: list[tuple[list[Image], list[list], list[list[Degraded]]]] = []

    def fingerprint(self) -> dict[str, str]:
        return {}

    def degrade(self, cleans, instructions):
        made = self.inner.degrade(cleans, instructions)
        self.calls.append((list(cleans), [list(group) for group in instructions], made))
        return made


class Rebuilding(DryDegrader):
    """Pairs what it paints with a picture of its own, as the model does with some kinds."""

    def degrade(self, cleans, instructions):
        return [
            [
                Degraded(
                    lq=one.lq,
                    gt=clean ^ 1,
                    target_kind="reconstructed",
                    scm_applied=True,
                    note=f"painted {instruction.degradation}",
                )
                for one, instruction in zip(made, group, strict=True)
            ]
            for clean, made, group in zip(
                cleans, super().degrade(cleans, instructions), instructions, strict=True
            )
        ]


@pytest.fixture
def engines():
    return {
        "parametric": Listening(ParametricDegrader(candidates=1), "parametric"),
        "gendeg": Listening(DryDegrader(), "gendeg"),
    }


def tasks_of(
    pictures: dict[str, Image], *mixtures: dict, attempt: int = 0, **settings
) -> tuple[list[Task], BuildConfig]:
    """A task for every pair of a plan; pairs of one photograph share its picture."""
    given = [{"name": f"m{number}"} | mixture for number, mixture in enumerate(mixtures)]
    settings = {"engine": "parametric", "mixtures": given, "redraws": 2} | settings
    plan = make_plan(len(pictures), own=[None], **settings)
    by_source = {f"s{number:03d}": p for number, p in enumerate(pictures.values())}
    tasks = [
        Task(
            request=request,
            attempt=attempt,
            clean=by_source[request.key.partition("-")[0]],
            caption="a caption",
        )
        for request in all_requests(plan)
    ]
    return tasks, plan.config


def same(one: Pair, other: Pair) -> bool:
    """Whether two pairs are equal in all that is stored."""
    parts = ("gt", "lq", "mask", "bits", "ground", "ground_lq")
    pictures = ((getattr(one, part), getattr(other, part)) for part in parts)
    return one.steps == other.steps and all(
        np.array_equal(a, b) if a is not None else b is None for a, b in pictures
    )


def test_steps_are_carried_out_in_order_each_on_the_output_of_the_one_before(pictures, engines):
    tasks, config = tasks_of(pictures, {"steps": THREE, "order": "written"})
    pairs = carry_out(engines, tasks, config)
    haze, rain = engines["gendeg"].calls
    (grain,) = engines["parametric"].calls
    ops = [[i.degradation for group in call[1] for i in group] for call in (haze, grain, rain)]
    assert ops == [[op] * len(tasks) for op in ("haze", "grain", "rain")]
    for number, (task, pair) in enumerate(zip(tasks, pairs, strict=True)):
        assert haze[0][number] is task.clean
        assert grain[0][number] is haze[2][number][0].lq
        assert rain[0][number] is grain[2][number][0].lq
        assert pair.lq is rain[2][number][0].lq
        assert not np.array_equal(grain[0][number], rain[0][number])


def test_one_step_of_all_pairs_goes_to_an_engine_in_one_call(pictures, engines):
    short, long = {"steps": ["haze"]}, {"steps": FORMULAS}
    mixed = {"steps": [{"op": "snow", "engine": "gendeg"}, "grain"], "order": "written"}
    tasks, config = tasks_of(pictures, short, long, mixed)
    carry_out(engines, tasks, config)
    count = len(pictures)
    sizes = [sum(map(len, call[1])) for call in engines["parametric"].calls]
    assert sizes == [2 * count, 2 * count, count]
    assert [sum(map(len, call[1])) for call in engines["gendeg"].calls] == [count]
    # Pairs of one photograph share its picture for as long as it is the same.
    first, second, _ = engines["parametric"].calls
    assert [len(group) for group in first[1]] == [2] * count
    assert [len(group) for group in second[1]] == [1] * (2 * count)


def test_what_an_engine_is_told_are_the_seeds_of_step_region_and_attempt(pictures, engines):
    mixture = {"steps": ["haze", "rain"], "regions": {"count": 2}}
    tasks, config = tasks_of(pictures, mixture, attempt=1)
    carry_out(engines, tasks, config)
    told = [[i.seed for group in call[1] for i in group] for call in engines["parametric"].calls]
    for number in range(2):
        assert told[number] == [
            task.request.step_seed(1, region, number) for task in tasks for region in range(2)
        ]
    assert all(
        i.caption == "a caption" for c in engines["parametric"].calls for g in c[1] for i in g
    )


def test_results_come_in_the_order_of_the_tasks(pictures, engines):
    tasks, config = tasks_of(pictures, {"steps": ["haze"]}, {"steps": FORMULAS})
    forwards = carry_out(engines, tasks, config)
    backwards = carry_out(engines, tasks[::-1], config)[::-1]
    assert all(map(same, forwards, backwards))
    for task, pair in zip(tasks, forwards, strict=True):
        assert len(pair.steps) == len(task.request.recipes[0])
        assert pair.gt is task.clean


@pytest.mark.parametrize("parts", [2, 5])
def test_formulas_make_the_same_bytes_however_a_plan_is_cut_into_batches(pictures, parts):
    mixtures = (
        {"steps": FORMULAS},
        {"steps": {"some_of": ["haze", "spot", "grain"], "count": [0, 2]}, "regions": {}},
    )
    tasks, config = tasks_of(pictures, *mixtures, replicas=2)
    config = config.model_copy(update={"members": ("mask", "bits", "ground")})
    engines = {"parametric": ParametricDegrader(candidates=1)}
    whole = carry_out(engines, tasks, config)
    size = -(-len(tasks) // parts)
    cut = [tasks[start : start + size] for start in range(0, len(tasks), size)]
    again = [pair for part in cut for pair in carry_out(engines, part, config)]
    assert len(whole) == len(again)
    assert all(map(same, whole, again))


def test_regions_are_rendered_on_the_whole_picture_and_then_put_together(pictures):
    mixture = {
        "steps": {"some_of": ["haze", "rain", "grain", "motion_blur"], "count": [1, 2]},
        "regions": {"count": [2, 4], "feather": [0, 16]},
    }
    tasks, config = tasks_of(pictures, mixture)
    engine = ParametricDegrader(candidates=1)
    for task, pair in zip(tasks, carry_out({"parametric": engine}, tasks, config), strict=True):
        regions = task.request.regions
        whole = [
            _by_hand(engine, task.request, region, task.clean) for region in range(regions.count)
        ]
        assert np.array_equal(pair.lq, regions.composite(whole))
        owners = regions.owners(task.clean.shape[:2])
        inside = ~regions.border(task.clean.shape[:2])
        for number, picture in enumerate(whole):
            mine = inside & (owners == number)
            assert np.array_equal(pair.lq[mine], picture[mine])
        assert pair.gt is task.clean


def _by_hand(engine: ParametricDegrader, request: Request, region: int, picture: Image) -> Image:
    for number in range(len(request.recipes[region])):
        instruction = request.instruction(0, region, number, None)
        picture = engine.degrade([picture], [[instruction]])[0][0].lq
    return picture


def test_what_is_painted_alone_has_the_target_that_its_engine_gives(pictures):
    tasks, config = tasks_of(pictures, {"steps": [THREE[0]]}, engine="gendeg")
    for task, pair in zip(tasks, carry_out({"gendeg": Rebuilding()}, tasks, config), strict=True):
        assert np.array_equal(pair.gt, task.clean ^ 1)
        assert (pair.target_kind, pair.scm_applied) == ("reconstructed", True)
        assert pair.note == "painted haze"
        assert [op for op, _ in pair.painted] == ["haze"]


@pytest.mark.parametrize(
    "mixture",
    [{"steps": THREE, "order": "written"}, {"steps": [THREE[0]], "regions": {"count": 2}}],
)
def test_the_target_of_a_composed_pair_is_the_photograph(pictures, mixture):
    tasks, config = tasks_of(pictures, mixture)
    engines = {"gendeg": Rebuilding(), "parametric": ParametricDegrader(candidates=1)}
    for task, pair in zip(tasks, carry_out(engines, tasks, config), strict=True):
        assert pair.gt is task.clean
        assert (pair.target_kind, pair.scm_applied) == ("clean", True)
        notes = ["painted haze", "painted rain"] if "order" in mixture else ["painted haze"]
        assert pair.note == "; ".join(notes)


def test_a_recipe_without_steps_leaves_the_picture_as_it_is(pictures, engines):
    tasks, config = tasks_of(
        pictures, {"steps": {"some_of": ["haze"], "count": 0}}, members=["ground"]
    )
    for task, pair in zip(tasks, carry_out(engines, tasks, config), strict=True):
        assert np.array_equal(pair.lq, task.clean)
        assert np.array_equal(pair.ground, pair.ground_lq)
        assert pair.steps == ()
    assert carry_out(engines, [], config) == []


def test_records_say_what_was_asked_and_what_each_step_did_to_its_own_input(pictures, engines):
    tasks, config = tasks_of(pictures, {"steps": THREE, "order": "written"})
    pairs = carry_out(engines, tasks, config)
    calls = [engines["gendeg"].calls[0], engines["parametric"].calls[0], engines["gendeg"].calls[1]]
    for number, (task, pair) in enumerate(zip(tasks, pairs, strict=True)):
        assert json.loads(json.dumps(pair.steps)) == list(pair.steps)
        for record, step, call in zip(pair.steps, task.request.recipes[0], calls, strict=True):
            difference = np.abs(call[2][number][0].lq / 255.0 - call[0][number] / 255.0)
            assert record["mu"] == pytest.approx(difference.mean(), abs=1e-6)
            assert record["sigma"] == pytest.approx(difference.std(), abs=1e-6)
            assert (record["op"], record["engine"]) == (step.op, step.engine)
            assert record.get("mu_target") == step.mu
            assert record.get("sigma_target") == step.sigma
            assert "region" not in record
        assert pair.steps[1]["version"] == 4
        assert pair.steps[1]["parameters"]["strength"] == task.request.recipes[0][1].strength
    mixture = {"steps": ["haze", "grain"], "regions": {"count": 3}}
    tasks, config = tasks_of(pictures, mixture)
    for pair in carry_out(engines, tasks, config):
        assert [record["region"] for record in pair.steps] == [0, 0, 1, 1, 2, 2]


@pytest.mark.parametrize("attempt", [0, 2])
def test_a_ground_is_degraded_by_the_very_steps_of_its_pair(pictures, engines, attempt):
    mixture = {"steps": [*FORMULAS, "motion_blur"], "order": "written"}
    tasks, config = tasks_of(pictures, mixture, attempt=attempt, members=["ground"])
    for task, pair in zip(tasks, carry_out(engines, tasks, config), strict=True):
        ground = draw_ground(draw_seed(task.request.seeds[0], "ground"), config.ground)
        assert np.array_equal(pair.ground, ground)
        for record in pair.steps:
            ground = replay(record, ground)
        assert np.array_equal(pair.ground_lq, ground)
        assert not np.array_equal(pair.ground, pair.ground_lq)
        lq = task.clean
        for record in pair.steps:
            lq = replay(record, lq)
        assert np.array_equal(pair.lq, lq)


def test_a_ground_has_the_regions_of_its_pair(pictures, engines):
    mixture = {"steps": {"some_of": ["haze", "rain", "grain"], "count": 2}, "regions": {}}
    tasks, config = tasks_of(pictures, mixture, members=["ground"])
    for task, pair in zip(tasks, carry_out(engines, tasks, config), strict=True):
        made = []
        for region in range(task.request.regions.count):
            picture = pair.ground
            for record in pair.steps:
                if record["region"] == region:
                    picture = replay(record, picture)
            made.append(picture)
        assert np.array_equal(pair.ground_lq, task.request.regions.composite(made))


def test_what_is_painted_on_a_pair_is_painted_on_its_ground_too(pictures, engines):
    tasks, config = tasks_of(pictures, {"steps": THREE, "order": "written"}, members=["ground"])
    pairs = carry_out(engines, tasks, config)
    on_pairs, on_grounds = engines["gendeg"].calls[:2], engines["gendeg"].calls[2:]
    assert [call[1] for call in on_grounds] == [
        [[i] for group in call[1] for i in group] for call in on_pairs
    ]
    for number, pair in enumerate(pairs):
        assert on_grounds[0][0][number] is pair.ground
        assert np.array_equal(on_grounds[1][2][number][0].lq, pair.ground_lq)


def test_only_the_members_that_are_asked_for_are_made(pictures, engines):
    mixture = {"steps": ["haze", "spot"]}
    made: dict[Sequence[str], Pair] = {}
    for members in ((), ("mask",), ("bits",), ("ground",)):
        tasks, config = tasks_of(pictures, mixture, members=list(members))
        made[members] = carry_out(engines, tasks, config)[0]
    assert made[()].mask is made[()].bits is made[()].ground is made[()].ground_lq is None
    assert made["ground",].mask is None
    assert made["ground",].ground.shape == made["ground",].ground_lq.shape == (224, 224, 3)
    assert made["mask",].mask.shape == (128, 128)
    assert made["bits",].bits.shape == (128, 128, 4)
    assert all(np.array_equal(pair.lq, made[()].lq) for pair in made.values())
