"""Read the configuration of a build: a YAML file, and what the command line lays over it."""

from __future__ import annotations

import re
import reprlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ValidationError

from gends.pipeline.names import printable, unknown
from gends.pipeline.planning.config import (
    BuildConfig,
    ConfigError,
    EngineConfig,
    FilterConfig,
)
from gends.pipeline.planning.mixture import MixtureConfig, RegionsConfig
from gends.pipeline.planning.steps import StepError

MOST_BYTES = 1 << 18
"""Of a configuration file."""
MOST_DEPTH = 20
"""Of lists and sections within each other."""
MOST_ERRORS = 20
"""Named in one message."""
FLAGS = (
    *("address", "fail_missing", "grace", "json", "mixed_processors", "out", "store_timeout"),
    *("unit_timeout", "workers"),
)
"""What a command may be told and changes no byte, and so is no key."""
SECTIONS: dict[str, type[BaseModel]] = {
    "": BuildConfig,
    "filter": FilterConfig,
    "generator": EngineConfig,
}
LISTS = {"degradations": "[rain, snow]", "variants": "[0, 1, 2]", "members": "[mask, ground]"}
"""Keys that take lists, each with an example."""


def load_config(path: Path | None, overrides: dict[str, Any]) -> BuildConfig:
    """Read a YAML file (or none) and lay `overrides`, nested like the file, over it.

    Raises:
        ConfigError: unreadable YAML, an unknown key (with the nearest right one) or a bad value.
    """
    values, lines = ({}, _Lines(None)) if path is None else _read_yaml(path)
    for key, value in overrides.items():
        if isinstance(value, dict) and values.get(key) is not None:
            known = values[key]  # what is no section is refused, not passed over
            value = known | value if isinstance(known, dict) else known  # noqa: PLW2901
        else:
            lines.overridden.add(key)
        values[key] = value
    try:
        return BuildConfig.model_validate(values)
    except ValidationError as error:
        # A key that is misspelt is also missing: what it should be called comes first.
        errors = sorted(error.errors(), key=lambda e: e["type"] != "extra_forbidden")
        said = [_said(e, lines) for e in errors[:MOST_ERRORS]]
        more = error.error_count() - len(said)
        said += [f"and {more} more"] * bool(more)
        where = f"{path}: " if path else ""
        raise ConfigError(where + "; ".join(said)) from error


def _said(error: Any, lines: _Lines) -> str:
    """What is wrong with one value, where it stands, and in which line of the file."""
    cause = error.get("ctx", {}).get("error")
    place, reason = tuple(error["loc"]), _reason(error)
    if isinstance(cause, StepError):
        place, reason = (*place, *cause.path), cause.message
    name = "".join(f"[{p}]" if isinstance(p, int) else f".{p}" for p in place).lstrip(".")
    return f"{printable(name) or 'configuration'}: {printable(reason)}{lines.of(place)}"


class _Lines:
    """In which line of a file each value stands."""

    def __init__(self, node: yaml.Node | None) -> None:
        self._node = node
        self.overridden: set[str] = set()
        """Keys that a flag gave another value."""

    def of(self, place: Sequence[str | int]) -> str:
        """` in line 3`, of the value or of what is nearest around it; empty: not in the file."""
        if not place or place[0] in self.overridden:
            return ""
        node, mark = self._node, None
        for part in place:
            found = _inside(node, part)
            if found is None:
                break
            mark, node = found
        return _line(mark) if mark else ""


def _inside(node: yaml.Node | None, part: str | int) -> tuple[Any, yaml.Node] | None:
    """Where a key or item of a node stands, and its value."""
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            if isinstance(key, yaml.ScalarNode) and key.value == str(part):
                return key.start_mark, value
    if isinstance(node, yaml.SequenceNode) and isinstance(part, int) and part < len(node.value):
        return node.value[part].start_mark, node.value[part]
    return None


def _read_yaml(path: Path) -> tuple[dict[Any, Any], _Lines]:
    try:
        with open(path, "rb") as file:
            data = file.read(MOST_BYTES + 1)
        if len(data) > MOST_BYTES:
            raise ConfigError(f"over {MOST_BYTES} bytes; this is no configuration")
        text = data.decode("utf-8")
        _check_plain(text)
        node = yaml.compose(text, Loader=yaml.SafeLoader)
        _check_keys(node)
        values = yaml.safe_load(text)
    except ConfigError as error:
        raise ConfigError(f"{path}: {error}") from error
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: {error}") from error
    except yaml.YAMLError as error:
        raise ConfigError(
            f"{path}: no YAML ({_problem(error)}); write 'key: value' lines, text in quotes"
        ) from error
    except Exception as error:  # what looks like a date or a number and is none raises anything
        raise ConfigError(
            f"{path}: {printable(str(error))}; write text like a date or a number in quotes"
        ) from error
    values = {} if values is None else values
    if not isinstance(values, dict):
        raise ConfigError(f"{path}: expected 'key: value' lines, got {type(values).__name__}")
    return values, _Lines(node)


def _check_plain(text: str) -> None:
    """Refuse tags, and what a few bytes can make huge: aliases of aliases, and endless nesting."""
    depth = 0
    for event in yaml.parse(text, Loader=yaml.SafeLoader):
        if isinstance(event, yaml.AliasEvent):
            raise ConfigError(
                f"aliases (*name) are not used here; write the value again{_line(event.start_mark)}"
            )
        if tag := getattr(event, "tag", None):
            short = printable(reprlib.repr(tag.replace("tag:yaml.org,2002:", "!!")))
            raise ConfigError(
                f"tags ({short}) are not used here; write the value alone{_line(event.start_mark)}"
            )
        depth += isinstance(event, yaml.CollectionStartEvent)
        depth -= isinstance(event, yaml.CollectionEndEvent)
        if depth > MOST_DEPTH:
            raise ConfigError(f"nested more than {MOST_DEPTH} deep{_line(event.start_mark)}")


def _problem(error: yaml.YAMLError) -> str:
    """What is wrong and where, on one line; YAML's own words take up to seven."""
    if isinstance(error, yaml.MarkedYAMLError):
        return f"{printable(str(error.problem))}{_line(error.problem_mark)}"
    return printable(" ".join(str(error).split()))


def _line(mark: Any) -> str:
    return f" in line {mark.line + 1}" if mark else ""


def _check_keys(node: yaml.Node | None) -> None:
    """Refuse a key that stands twice: YAML itself would take the later one in silence."""
    if isinstance(node, yaml.SequenceNode):
        for value in node.value:
            _check_keys(value)
    if isinstance(node, yaml.MappingNode):
        seen = set()
        for key, value in node.value:
            if isinstance(key, yaml.ScalarNode) and (key.tag, key.value) in seen:
                name = printable(reprlib.repr(key.value))
                raise ConfigError(f"{name} is given twice{_line(key.start_mark)}")
            seen.add((key.tag, key.value) if isinstance(key, yaml.ScalarNode) else None)
            _check_keys(value)


def _reason(error: Any) -> str:
    if error["type"] == "extra_forbidden":
        return _unknown_key(*error["loc"])
    message = str(error["msg"]).removeprefix("Value error, ")
    if error["type"] == "value_error":
        return message
    key = error["loc"][-1] if error["loc"] else ""
    bounds = error.get("ctx", {})
    if error["type"] == "literal_error":
        return unknown(str(error["input"]), re.findall("'(.*?)'", bounds["expected"]), "value")
    plain = {
        "greater_than_equal": f"must be at least {bounds.get('ge')}",
        "greater_than": f"must be above {bounds.get('gt')}",
        "less_than_equal": f"must be at most {bounds.get('le')}",
        "less_than": f"must be below {bounds.get('lt')}",
        "model_type": "give keys and values",
        "tuple_type": f"give a list, as {LISTS.get(key, '[a, b]')}",
    }
    return f"{plain.get(error['type'], message)} (got {reprlib.repr(error['input'])})"


def _unknown_key(*location: Any) -> str:
    """What a key may have meant: a flag, a key spelled otherwise, or one of another section."""
    *sections, key = map(str, location)
    if sections and sections[0] == "mixtures":
        model = RegionsConfig if "regions" in sections else MixtureConfig
        return unknown(key, model.model_fields)
    *dotted, name = key.replace("-", "_").split(".")
    for section in filter(None, SECTIONS):  # a flag's spelling
        if name.startswith(f"{section}_"):
            dotted, name = [section], name.removeprefix(f"{section}_")
    if name in FLAGS:
        return f"is no key but the flag --{name.replace('_', '-')}: it changes no byte"
    here = sections[0] if sections else ""
    meant = next((section for section in dotted if section in SECTIONS), here)
    for section in (meant, here, *SECTIONS):
        if name in SECTIONS[section].model_fields:
            place = (
                f"'{section}: {{{name}: …}}'" if section else f"{name!r} outside of this section"
            )
            place = repr(name) if section == here else place
            return f"unknown key {reprlib.repr(key)}; did you mean {place}?"
    return unknown(key if meant == here else name, SECTIONS[meant].model_fields)
