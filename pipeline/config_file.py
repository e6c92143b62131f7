"""Read the configuration of a build: a YAML file, and what the command line lays over it."""

from __future__ import annotations

import reprlib
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from gends.pipeline.config import BuildConfig, ConfigError, unknown
from gends.pipeline.names import spelled

MOST_BYTES = 1 << 18
"""Of a configuration file."""
MOST_DEPTH = 20
"""Of lists and sections within each other."""
MOST_ERRORS = 20
"""Named in one message."""
FLAGS = ("address", "grace", "json", "out", "store_timeout", "unit_timeout", "workers")
"""What a command may be told and changes no byte, and so is no key."""


def load_config(path: Path | None, overrides: dict[str, Any]) -> BuildConfig:
    """Read a YAML file (or none) and lay `overrides`, nested like the file, over it.

    Raises:
        ConfigError: unreadable YAML, an unknown key (with the nearest right one) or a bad value.
    """
    values = {} if path is None else _read_yaml(path)
    for key, value in overrides.items():
        if isinstance(value, dict) and isinstance(values.get(key), dict):
            value = values[key] | value  # noqa: PLW2901
        values[key] = value
    try:
        return BuildConfig.model_validate(values)
    except ValidationError as error:
        lines = [
            f"{spelled('.'.join(map(str, e['loc']))) or 'configuration'}: {spelled(_reason(e))}"
            for e in error.errors()[:MOST_ERRORS]
        ]
        more = error.error_count() - len(lines)
        lines += [f"and {more} more"] * bool(more)
        where = f"{path}: " if path else ""
        raise ConfigError(where + "; ".join(lines)) from error


def _read_yaml(path: Path) -> dict[Any, Any]:
    try:
        with open(path, "rb") as file:
            text = file.read(MOST_BYTES + 1).decode("utf-8")
        if len(text) > MOST_BYTES:
            raise ConfigError(f"{path}: over {MOST_BYTES} bytes; this is no configuration")
        _check_plain(text)
        _check_keys(yaml.compose(text, Loader=yaml.SafeLoader))
        values = yaml.safe_load(text)
    except ConfigError:
        raise
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise ConfigError(f"{path}: {error}") from error
    except Exception as error:  # what is no number, date or pair raises anything, also KeyError
        raise ConfigError(f"{path}: {type(error).__name__}: {spelled(str(error))}") from error
    values = {} if values is None else values
    if not isinstance(values, dict):
        raise ConfigError(f"{path}: expected 'key: value' lines, got {type(values).__name__}")
    return values


def _check_plain(text: str) -> None:
    """Refuse what a few bytes can make huge: aliases of aliases, and endless nesting."""
    depth = 0
    for event in yaml.parse(text, Loader=yaml.SafeLoader):
        if isinstance(event, yaml.AliasEvent):
            raise yaml.YAMLError(
                f"aliases (*name) are not used here; write the value again{_line(event)}"
            )
        depth += isinstance(event, yaml.CollectionStartEvent)
        depth -= isinstance(event, yaml.CollectionEndEvent)
        if depth > MOST_DEPTH:
            raise yaml.YAMLError(f"nested more than {MOST_DEPTH} deep{_line(event)}")


def _line(part: yaml.Event | yaml.Node) -> str:
    """Where in the file, on one line; YAML's own words take three."""
    return f" in line {part.start_mark.line + 1}" if part.start_mark else ""


def _check_keys(node: yaml.Node | None) -> None:
    """Refuse a key that stands twice: YAML itself would take the later one in silence."""
    if isinstance(node, yaml.SequenceNode):
        for value in node.value:
            _check_keys(value)
    if isinstance(node, yaml.MappingNode):
        seen = set()
        for key, value in node.value:
            if isinstance(key, yaml.ScalarNode) and (key.tag, key.value) in seen:
                name = spelled(reprlib.repr(key.value))
                raise yaml.YAMLError(f"{name} is given twice{_line(key)}")
            seen.add((key.tag, key.value) if isinstance(key, yaml.ScalarNode) else None)
            _check_keys(value)


def _elsewhere(key: str, section: Any) -> str | None:
    """Where a key that `section` does not have is one: at the top, or in a section of it."""
    top = BuildConfig.model_fields
    if section is not BuildConfig and key in top:
        return f"{key!r} outside of this section"
    for name, field in top.items():
        if key in getattr(field.annotation, "model_fields", ()):
            return f"'{name}.{key}', {key} within the section {name}"
    return None


def _reason(error: Any) -> str:
    if error["type"] == "extra_forbidden":
        *sections, key = error["loc"]
        if not sections and (name := str(key).replace("-", "_")) in FLAGS:
            return f"is no key but the flag --{name.replace('_', '-')}: it changes no byte"
        section: Any = BuildConfig
        for name in sections:
            section = section.model_fields[name].annotation
        if place := _elsewhere(str(key), section):
            return f"unknown key {reprlib.repr(str(key))}; did you mean {place}?"
        return unknown(str(key), section.model_fields)
    plain = {"tuple_type": "give a list, as [rain, snow]", "model_type": "give keys and values"}
    message = plain.get(error["type"], str(error["msg"]).removeprefix("Value error, "))
    return (
        message
        if error["type"] == "value_error"
        else f"{message} (got {reprlib.repr(error['input'])})"
    )
