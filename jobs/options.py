"""Command-line flags made from the configuration's fields, so that the two cannot drift apart."""

from __future__ import annotations

import types
import typing
from collections.abc import Callable, Iterator
from typing import Any, Literal, TypeVar, get_args, get_origin

import click
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from gends.pipeline.config import BuildConfig

Command = TypeVar("Command", bound=Callable[..., Any])

SHORT_SECTIONS = {"generator"}
"""Sections whose fields are flags without the section's name."""


def config_options(command: Command) -> Command:
    """Add one flag per configuration field; they arrive in the keyword `settings`, nested."""
    for path, field in reversed(list(_leaves(BuildConfig))):
        command = _option(path, field)(command)
    return command


def nested(flags: dict[str, Any]) -> dict[str, Any]:
    """Pick the flags that were given and nest them like the configuration."""
    settings: dict[str, Any] = {}
    for path, _ in _leaves(BuildConfig):
        value = flags.pop("__".join(path))
        if value is None or value == ():
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
    return click.option(flag, name, type=_click_type(kind), default=None, help=help_text)


def _default(field: FieldInfo) -> str:
    value = field.get_default(call_default_factory=True)
    if value is None or value in ("", {}):
        return ""
    return f"[default: {','.join(value) if isinstance(value, tuple) else value}]"


def _plain_type(annotation: Any) -> Any:
    if get_origin(annotation) in (typing.Union, types.UnionType):
        (annotation,) = (kind for kind in get_args(annotation) if kind is not type(None))
    return annotation


def _click_type(kind: Any) -> click.ParamType:
    if get_origin(kind) is Literal:
        return click.Choice(get_args(kind))
    if get_origin(kind) is tuple:
        return CommaList()
    if get_origin(kind) is dict:
        return Bounds()
    return {int: click.INT, float: click.FLOAT, str: click.STRING}[kind]


class CommaList(click.ParamType):
    """`a,b,c`."""

    name = "NAME,NAME…"

    def convert(self, value: Any, param: Any, ctx: Any) -> tuple[str, ...]:
        """Split at commas."""
        return tuple(part.strip() for part in value.split(",") if part.strip())


class Bounds(click.ParamType):
    """`metric=low:high,…`, either bound possibly empty."""

    name = "NAME=LOW:HIGH,…"

    def convert(
        self, value: Any, param: Any, ctx: Any
    ) -> dict[str, tuple[float | None, float | None]]:
        """Parse each metric's bounds."""
        bounds = {}
        for part in value.split(","):
            name, _, span = part.partition("=")
            low, _, high = span.partition(":")
            try:
                bounds[name.strip()] = (float(low) if low else None, float(high) if high else None)
            except ValueError:
                self.fail(f"{part!r} is not NAME=LOW:HIGH, as in niqe=:6.5", param, ctx)
        return bounds
