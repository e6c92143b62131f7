"""Steps as a mixture asks for them: which operation or kind, how strong, with which parameters."""

from __future__ import annotations

import reprlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from gends.models.degradations import DEGRADATIONS
from gends.models.parametric.catalog import OPERATIONS
from gends.models.parametric.levels import LEVELS, levels_of
from gends.models.parametric.parameter import Parameter
from gends.pipeline.names import unknown
from gends.pipeline.planning.values import Value, parse_value

ENGINES = ("gendeg", "parametric", "dry")
STRENGTH = Parameter(meaning="share of the operation's full effect")
LEVEL = Parameter(meaning="calibrated level", low=1, high=LEVELS, is_whole=True)
SEVERITY = {
    "mu": Parameter(meaning="mean of |output - input| of this step", low=0.001),
    "sigma": Parameter(meaning="standard deviation of |output - input| of this step", low=0.0),
}
COMMON = ("op", "engine", "probability", "mu", "sigma", "strength", "level")
"""Keys of a step beside the parameters of its operation."""
MARGIN = 1.2
"""How far above the largest mu that was measured one may be asked for: photographs differ."""
FORMS = "a name, {op: NAME, …}, {one_of: […]} or {some_of: […], count: N}"


class StepError(ValueError):
    """A step that cannot be used; `path` says where it stands under `steps`."""

    def __init__(self, path: tuple[str | int, ...], message: str) -> None:
        """Say what is wrong with what stands at `path`."""
        super().__init__(message)
        self.path, self.message = path, message


@dataclass(frozen=True, slots=True, kw_only=True)
class StepTemplate:
    """One step that may be drawn."""

    op: str
    engine: str | None = None
    """None: the build's, where it knows the operation; else the parametric one."""
    probability: float = 1.0
    values: Mapping[str, Value] = field(default_factory=dict)
    """What is given of strength, severity and parameters, each drawn for every pair."""

    @property
    def ops(self) -> Iterator[str]:
        """Operations that may take part."""
        yield self.op


@dataclass(frozen=True, slots=True, kw_only=True)
class SomeOf:
    """Some of several entries, drawn without repetition; one of them, where `count` is (1, 1)."""

    entries: tuple[Entry, ...]
    count: tuple[int, int]

    @property
    def ops(self) -> Iterator[str]:
        """Operations that may take part."""
        for entry in self.entries:
            yield from entry.ops


Entry: TypeAlias = StepTemplate | SomeOf


@dataclass(frozen=True, slots=True, kw_only=True)
class Steps:
    """The `steps` of a mixture."""

    entries: tuple[Entry, ...]
    shuffled: bool = False
    """Whether all orders are made, equally often."""

    @property
    def templates(self) -> Iterator[StepTemplate]:
        """Every step that may be drawn."""
        waiting = [*reversed(self.entries)]
        while waiting:
            entry = waiting.pop()
            if isinstance(entry, SomeOf):
                waiting.extend(reversed(entry.entries))
            else:
                yield entry


def parse_steps(given: Any) -> Steps:
    """Read the `steps` of a mixture.

    Raises:
        StepError: an unknown operation or key (with the nearest right name), a value out of range.
    """
    if isinstance(given, Mapping) and set(given) == {"shuffled"}:
        entries = _entries(given["shuffled"], ("shuffled",))
        if any(isinstance(entry, SomeOf) or entry.probability < 1 for entry in entries):
            raise StepError(("shuffled",), "shuffled steps are single ones that are always there")
        return Steps(entries=entries, shuffled=True)
    if isinstance(given, str | Mapping):
        return Steps(entries=(_entry(given, ()),))
    return Steps(entries=_entries(given, ()))


def _entries(given: Any, path: tuple[str | int, ...]) -> tuple[Entry, ...]:
    if not isinstance(given, Sequence) or isinstance(given, str) or not given:
        raise StepError(path, f"give a list of steps, each {FORMS} (got {reprlib.repr(given)})")
    return tuple(_entry(entry, (*path, number)) for number, entry in enumerate(given))


def _entry(given: Any, path: tuple[str | int, ...]) -> Entry:
    if isinstance(given, str):
        return _step({"op": given}, path)
    if not isinstance(given, Mapping):
        raise StepError(path, f"give {FORMS} (got {reprlib.repr(given)})")
    if "one_of" in given:
        _no_more_keys(given, ("one_of",), path)
        return SomeOf(entries=_entries(given["one_of"], (*path, "one_of")), count=(1, 1))
    if "some_of" in given:
        _no_more_keys(given, ("some_of", "count"), path)
        entries = _entries(given["some_of"], (*path, "some_of"))
        return SomeOf(entries=entries, count=_count(given.get("count"), len(entries), path))
    if "op" not in given:
        names = ", ".join(map(str, given))
        raise StepError(path, f"no op here, but {names}; give {FORMS}")
    return _step(given, path)


def _no_more_keys(
    given: Mapping[str, Any], known: tuple[str, ...], path: tuple[str | int, ...]
) -> None:
    for key in given:
        if key not in known:
            raise StepError((*path, str(key)), unknown(str(key), known, "key"))


def _count(given: Any, most: int, path: tuple[str | int, ...]) -> tuple[int, int]:
    low, high = given if isinstance(given, list | tuple) and len(given) == 2 else (given, given)
    whole = all(isinstance(n, int) and not isinstance(n, bool) for n in (low, high))
    if not whole or not 0 <= low <= high <= most:
        raise StepError(
            (*path, "count"),
            f"count is {reprlib.repr(given)}; give how many of these {most} are drawn, as 2 or "
            "[1, 2]",
        )
    return low, high


def _step(given: Mapping[str, Any], path: tuple[str | int, ...]) -> StepTemplate:
    op, engine = given["op"], given.get("engine")
    known = {**dict.fromkeys(OPERATIONS), **dict.fromkeys(DEGRADATIONS)}
    if not isinstance(op, str) or op not in known:
        raise StepError((*path, "op"), unknown(str(op), known, "operation"))
    if engine is not None and engine not in ENGINES:
        raise StepError((*path, "engine"), unknown(str(engine), ENGINES, "engine"))
    if engine == "gendeg" and op not in DEGRADATIONS:
        raise StepError(
            (*path, "engine"),
            f"the diffusion model paints {', '.join(DEGRADATIONS)}; {op} has a formula only: "
            "leave engine out, or say parametric",
        )
    probability = given.get("probability", 1.0)
    try:
        STRENGTH.check("probability", probability)
    except ValueError as error:
        raise StepError((*path, "probability"), str(error)) from None
    if not probability:
        raise StepError((*path, "probability"), "probability is 0; leave the step out instead")
    values = {
        str(key): _value(op, engine, str(key), value, (*path, str(key)))
        for key, value in given.items()
        if key not in ("op", "engine", "probability")
    }
    _check_strength(op, engine, values, path)
    return StepTemplate(op=op, engine=engine, probability=float(probability), values=values)


def _value(op: str, engine: str | None, key: str, given: Any, path: tuple[str | int, ...]) -> Value:
    parameters = settable(op) if engine in (None, "parametric") else SEVERITY
    if key == "version":
        raise StepError(path, "versions stand in recipes; a mixture uses those that are installed")
    if key not in parameters:
        raise StepError(path, unknown(key, (*COMMON[:3], *parameters), f"parameter of {op}"))
    try:
        return parse_value(key, given, parameters[key])
    except ValueError as error:
        raise StepError(path, f"{op}: {error}") from None


def settable(op: str) -> dict[str, Parameter]:
    """All that a step of that operation may be given, with the values that each may have."""
    operation = OPERATIONS[op]
    scale = {operation.scale.name: operation.scale.parameter()} if operation.scale else {}
    return {
        **SEVERITY,
        "strength": STRENGTH,
        "level": LEVEL,
        **scale,
        **operation.parameters,
    }


def _check_strength(
    op: str, engine: str | None, values: Mapping[str, Value], path: tuple[str | int, ...]
) -> None:
    scale = OPERATIONS[op].scale
    ways = ["mu", "strength", "level", *([scale.name] if scale else [])]
    given = [name for name in ways if name in values]
    if len(given) > 1:
        raise StepError(
            path, f"{op} is given {' and '.join(given)}, which all say how strong; give one"
        )
    if "mu" in values and engine in (None, "parametric"):
        most, wanted = levels_of(OPERATIONS[op]).reach, values["mu"].largest
        if wanted > MARGIN * most:
            raise StepError(
                (*path, "mu"),
                f"{op}: mu is {wanted:g}, and at full strength photographs reach {most:.3f}",
            )
    if "sigma" in values and "mu" not in values and not (scale and scale.name == "sigma"):
        raise StepError((*path, "sigma"), f"{op}: sigma needs a mu beside it")
