"""Carry out recipes: step after step, each by its engine, on all pictures of a batch together."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from gends.histograms.severity import measure
from gends.models.degradations import TargetKind
from gends.models.degrader import Degraded, Degrader, Image, Instruction
from gends.models.grounds.ground import draw_ground
from gends.pipeline.making.mask import Labelled, Plane8, label_regions
from gends.pipeline.planning.config import BuildConfig
from gends.pipeline.seeds import draw_seed
from gends.pipeline.types import Request, Step

Engines = Mapping[str, Degrader]
"""By the names that steps give them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """A pair as it was made, with all that is stored beside it."""

    lq: Image
    gt: Image
    target_kind: TargetKind = "clean"
    scm_applied: bool = False
    steps: tuple[dict[str, Any], ...] = ()
    """What was done, as JSON values, in order; see `recorded`."""
    note: str | None = None
    """What was out of the ordinary about making it; the manifest records it."""
    painted: tuple[tuple[str, Degraded], ...] = ()
    """What a model has painted, by kind: the filter looks at each."""
    mask: Plane8 | None = None
    bits: Image | None = None
    ground: Image | None = None
    ground_lq: Image | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """A request of a batch with the picture that it starts from."""

    request: Request
    attempt: int
    clean: Image
    caption: str | None


@dataclass(slots=True)
class _Chain:
    """The steps of one region of one request, as far as they are carried out."""

    task: Task
    region: int
    picture: Image
    done: list[Degraded] = field(default_factory=list)
    inputs: list[Image] = field(default_factory=list)
    """What each step was given."""
    model: _Chain | None = None
    """The chain whose steps are made again on this one's picture."""

    @property
    def steps(self) -> tuple[Step, ...]:
        return self.task.request.recipes[self.region]

    def instruction(self, number: int) -> Instruction:
        task = self.task
        wanted = task.request.instruction(task.attempt, self.region, number, task.caption)
        if self.model is None or self.steps[number].engine != "parametric":
            return wanted
        return replace(wanted, made=self.model.done[number].step)


def carry_out(engines: Engines, tasks: Sequence[Task], config: BuildConfig) -> list[Pair]:
    """Make the pairs of a batch; results are in the order of the tasks.

    Every region's recipe is carried out on the whole picture, so that blur and haze have no seams,
    and the pictures are then put together. Step k of all tasks goes to its engine in one call: what
    an engine batches follows from the batch alone.
    """
    chains = [
        _Chain(task, region, task.clean)
        for task in tasks
        for region in range(len(task.request.recipes))
    ]
    _run(engines, chains)
    grounds = list(_grounds(chains, config))
    _run(engines, grounds)
    waiting, charts = iter(chains), iter(grounds)
    pairs = []
    for task in tasks:
        own = list(itertools.islice(waiting, len(task.request.recipes)))
        pair = _pair(task, own, config)
        if grounds:
            pair = _with_ground(pair, list(itertools.islice(charts, len(own))))
        pairs.append(pair)
    return pairs


def _run(engines: Engines, chains: Sequence[_Chain]) -> None:
    longest = max((len(chain.steps) for chain in chains), default=0)
    for number in range(longest):
        waiting = [chain for chain in chains if number < len(chain.steps)]
        for name in sorted({chain.steps[number].engine for chain in waiting}):
            here = [chain for chain in waiting if chain.steps[number].engine == name]
            _degrade(engines[name], here, number)


def _degrade(engine: Degrader, chains: Sequence[_Chain], number: int) -> None:
    """One step of several chains; neighbours that start from one picture share it."""
    groups = [list(group) for _, group in itertools.groupby(chains, key=lambda c: id(c.picture))]
    pictures = [group[0].picture for group in groups]
    instructions = [[chain.instruction(number) for chain in group] for group in groups]
    made = itertools.chain.from_iterable(engine.degrade(pictures, instructions))
    for chain, degraded in zip(itertools.chain.from_iterable(groups), made, strict=True):
        chain.inputs.append(chain.picture)
        chain.done.append(degraded)
        chain.picture = degraded.lq


def _pair(task: Task, chains: Sequence[_Chain], config: BuildConfig) -> Pair:
    request, gt = task.request, task.clean
    kind: TargetKind = "clean"
    if request.only_step is not None:
        # A reconstruction, for some kinds. What several steps are laid over each other is held
        # against the photograph itself: all composed pairs of a picture then share one gt.
        gt, kind = chains[0].done[0].gt, chains[0].done[0].target_kind
    lq = chains[0].picture
    if request.regions is not None:
        lq = request.regions.composite([chain.picture for chain in chains])
    steps = tuple(itertools.chain.from_iterable(map(recorded, chains)))
    made = [degraded for chain in chains for degraded in chain.done]
    notes = dict.fromkeys(degraded.note for degraded in made if degraded.note)
    painted = [
        (step.op, degraded)
        for chain in chains
        for step, degraded in zip(chain.steps, chain.done, strict=True)
        if step.engine != "parametric"
    ]
    pair = Pair(
        lq=lq,
        gt=gt,
        target_kind=kind,
        scm_applied=any(degraded.scm_applied for degraded in made),
        steps=steps,
        painted=tuple(painted),
        note="; ".join(notes) or None,
    )
    if {"mask", "bits"} & set(config.members):
        labelled = [Labelled(steps=c.steps, pictures=(*c.inputs, c.picture)) for c in chains]
        mask, bits = label_regions(labelled, request.regions)
        pair = replace(pair, mask=mask, bits=bits)
    return pair


def recorded(chain: _Chain) -> Iterator[dict[str, Any]]:
    """The steps of a chain as the manifest holds them.

    {op, engine, mu, sigma} of every step, measured on its 8-bit output against its input; what was
    asked for (mu_target, sigma_target); what the engine adds, which for an operation is enough to
    make the step again (version, parameters, seed, depth); and region, where there are several.
    """
    several = len(chain.task.request.recipes) > 1
    for number, (step, before) in enumerate(zip(chain.steps, chain.inputs, strict=True)):
        degraded = chain.done[number]
        severity = measure(degraded.lq, before)
        seed = chain.task.request.step_seed(chain.task.attempt, chain.region, number)
        record: dict[str, Any] = {"op": step.op, "engine": step.engine, "seed": seed}
        record |= {"mu": round(severity.mu, 6), "sigma": round(severity.sigma, 6)}
        if step.mu is not None:
            record |= {"mu_target": step.mu, "sigma_target": step.sigma}
        if several:
            record["region"] = chain.region
        yield record | degraded.step


def _grounds(chains: Sequence[_Chain], config: BuildConfig) -> Iterator[_Chain]:
    if "ground" not in config.members:
        return
    for chain in chains:
        seed = draw_seed(chain.task.request.seeds[0], "ground")
        yield _Chain(chain.task, chain.region, draw_ground(seed, config.ground), model=chain)


def _with_ground(pair: Pair, chains: Sequence[_Chain]) -> Pair:
    """The chart of a pair, degraded by its steps, and by their regions where there are several."""
    chart = chains[0].inputs[0] if chains[0].inputs else chains[0].picture
    regions = chains[0].task.request.regions
    pictures = [chain.picture for chain in chains]
    return replace(
        pair,
        ground=chart,
        ground_lq=np.asarray(regions.composite(pictures) if regions else pictures[0]),
    )
