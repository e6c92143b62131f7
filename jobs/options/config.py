"""Command-line flags made from the configuration's fields, so that the two cannot drift apart."""

from __future__ import annotations

import math
import types
import typing
from collections.abc import Callable, Iterator
from typing import Any, Literal, TypeVar, get_args, get_origin

import click
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from gends.jobs.options.listed import names
from gends.pipeline.planning.config import BuildConfig

Command = TypeVar("Command", bound=Callable[..., Any])

FILE_ONLY = {"mixtures"}
"""Fields that a flag cannot hold."""
SHORT_SECTIONS = {"generator"}
"""Sections whose fields are flags without the section's name."""
METAVARS = {
    "clean": "SRC",
    "clean_dataset": "NAME",
    "clean_degradation": "NAME",
    "member": "NAME,NAME…",
    "model": "NAME|PATH",
    "profile": "NAME|FILE",
    "resolution": "R",
    "seed": "S",
    "structure": "model|photograph|NAME=…,…",
    "variants": "N,N…",
}
"""Of fields for which their type's is not telling; the others are N for a count, X for a number."""
HEADINGS = {
    "": "Dataset settings (keys of CONFIG)",
    "filter": "Quality filter (keys of CONFIG under filter:)",
    "generator": "Engine settings (keys of CONFIG under generator:)",
}


class NumberRange(click.FloatRange):
    """A range that what is not a number does not lie in; of click's, it does."""

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        """Fails for nan and for what lies outside."""
        number = float(super().convert(value, param, ctx))
        if math.isnan(number):
            self.fail(f"{value} is not a number", param, ctx)
        return number


class ConfigCommand(click.Command):
    """A command whose help sorts the configuration's flags by section."""

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the command's own options first, then one list per section."""
        sections: dict[str, list[tuple[str, str]]] = {"Options": []}
        for parameter in self.get_params(ctx):
            record = parameter.get_help_record(ctx)
            if record is not None and isinstance(parameter, click.Option):
                sections.setdefault(_heading(parameter.name or ""), []).append(record)
        for heading, records in sections.items():
            with formatter.section(heading):
                formatter.write_dl(records)


def _heading(name: str) -> str:
    section, _, field = name.partition("__")
    if field:
        return HEADINGS[section]
    return HEADINGS[""] if name in BuildConfig.model_fields else "Options"


def config_options(command: Command) -> Command:
    """Add one flag per configuration field; `nested` sorts them out of the command's arguments."""
    for path, field in reversed(list(_leaves(BuildConfig))):
        command = _option(path, field)(command)
    return command


def nested(flags: dict[str, Any]) -> dict[str, Any]:
    """Pick the flags that were given and nest them like the configuration."""
    settings: dict[str, Any] = {}
    for path, _ in _leaves(BuildConfig):
        value = flags.pop("__".join(path))
        if value is None:
            continue
        section = settings
        for name in path[:-1]:
            section = section.setdefault(name, {})
        section[path[-1]] = value
    return settings


def _leaves(
    model: type[BaseModel], prefix: tuple[str, ...] = ()
) -> Iterator[tuple[tuple[str, ...], FieldInfo]]:
    for name, field in model.model_fields.items():
        if name in FILE_ONLY:
            continue
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            yield from _leaves(field.annotation, (*prefix, name))
        else:
            yield (*prefix, name), field


def _option(path: tuple[str, ...], field: FieldInfo) -> Callable[[Command], Command]:
    shown = [part for part in path if part not in SHORT_SECTIONS]
    flag = "--" + "-".join(shown).replace("_", "-")
    kind = _plain_type(field.annotation)
    help_text = f"{field.description} {_default(field)}"
    name = "__".join(path)
    if kind is bool:
        return click.option(f"{flag}/--no-{flag[2:]}", name, default=None, help=help_text)
    metavar = METAVARS.get(path[-1])
    return click.option(
        flag, name, type=_click_type(kind), metavar=metavar or _metavar(kind), help=help_text
    )


def _default(field: FieldInfo) -> str:
    value = field.get_default(call_default_factory=True)
    if value is None or value in ("", {}, ()):
        return ""
    if isinstance(value, bool):
        value = "on" if value else "off"
    return f"[default: {','.join(value) if isinstance(value, tuple) else value}]"


def _plain_type(annotation: Any) -> Any:
    if get_origin(annotation) in (typing.Union, types.UnionType):
        kinds = [kind for kind in get_args(annotation) if kind is not type(None)]
        return kinds[0] if len(kinds) == 1 else annotation
    return annotation


def _click_type(kind: Any) -> Any:
    if get_origin(kind) is Literal:
        return click.Choice(get_args(kind))
    if get_origin(kind) in (typing.Union, types.UnionType):
        return _one_or_each
    return {tuple: names, dict: _bounds}.get(get_origin(kind), kind)


def flag(name: str, help_text: str, **options: Any) -> Callable[[Command], Command]:
    """One of a command's own flags: its help shows its default and, for numbers, N or X."""
    shown = options.get("default") is not None and not options.get("is_flag")
    kind = options.get("type", type(options.get("default")))
    options = {"metavar": _metavar(kind)} | options
    return click.option(name, help=help_text, show_default=shown, **options)


def split_of(ctx: click.Context, parameter: click.Parameter, name: str | None) -> str | None:
    """The split that pairs are to be of: None for `all`, which is the name of no split."""
    return None if name == "all" else name


def _metavar(kind: Any) -> str | None:
    """What stands for a value of a type, or of a range of click's."""
    by_kind = {int: "N", float: "X", tuple: "NAME,NAME…", dict: "NAME=LOW:HIGH,…"}
    ranges = {click.IntRange: int, NumberRange: float}
    return by_kind.get(ranges.get(type(kind), get_origin(kind) or kind))


def _one_or_each(text: str) -> str | dict[str, str]:
    """Parse `value`, for all, or `name=value,…`; the configuration knows which there are."""
    if "=" not in text:
        return text.strip()
    values: dict[str, str] = {}
    for part in filter(None, map(str.strip, text.split(","))):
        name, _, value = (piece.strip() for piece in part.partition("="))
        if name in values:
            raise click.BadParameter(f"{name} is given twice")
        values[name] = value
    return values


def _bounds(text: str) -> dict[str, tuple[float | None, float | None]]:
    """Parse `metric=low:high,…`, either bound possibly empty."""
    bounds = {}
    for part in names(text):
        name, _, span = part.partition("=")
        low, colon, high = span.partition(":")
        try:
            bounds[name.strip()] = (float(low) if low else None, float(high) if high else None)
        except ValueError:
            colon = ""
        if not colon:
            raise click.BadParameter(f"{part!r} is not NAME=LOW:HIGH, as in niqe=:6.5")
    return bounds
