from __future__ import annotations

import click
import pytest
from click.testing import CliRunner

from gends.jobs.options.config import FILE_ONLY, ConfigCommand, config_options, nested
from gends.pipeline.planning.config import BuildConfig, ConfigError
from gends.pipeline.planning.config_file import load_config


def parse(*arguments: str) -> dict[str, object]:
    found: dict[str, object] = {}

    @click.command(cls=ConfigCommand)
    @config_options
    def command(**flags: object) -> None:
        found.update(nested(flags))
        assert not flags, "a flag that is no setting"

    result = CliRunner().invoke(command, arguments, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return found


def test_no_flag_sets_nothing():
    assert parse() == {}


def test_flags_nest_like_the_configuration():
    arguments = ("--clean", "a", "--degradations", "rain, snow", "--no-dedupe", "--steps", "4")
    bounds = ("--filter-mu-min", "0.1", "--filter-metrics", "niqe=:6.5,piqe=1:")
    settings = parse(*arguments, *bounds)
    assert settings == {
        "clean": "a",
        "degradations": ("rain", "snow"),
        "dedupe": False,
        "generator": {"steps": 4},
        "filter": {"mu_min": 0.1, "metrics": {"niqe": (None, 6.5), "piqe": (1.0, None)}},
    }
    assert load_config(None, settings).generator.steps == 4


@pytest.mark.parametrize(
    ("value", "chosen"),
    [
        ("photograph", "photograph"),
        ("haze=photograph", {"haze": "photograph"}),
        (" haze = model, snow=photograph,", {"haze": "model", "snow": "photograph"}),
    ],
)
def test_structure_is_one_for_all_or_one_each(value, chosen):
    settings = parse("--structure", value)
    assert settings == {"generator": {"structure": chosen}}
    assert load_config(None, settings).generator.structure == chosen


@pytest.mark.parametrize(
    ("value", "says"),
    [
        ("photo", "generator.structure: give model or photograph, or a list by degradation"),
        ("haze=", "haze: give model or photograph .got ''"),
        ("haze=model,snow", "snow: give model or photograph"),
        ("fog=model", "unknown degradation 'fog'"),
        ("=model", "unknown degradation ''"),
    ],
)
def test_structures_that_are_none_are_refused(value, says):
    with pytest.raises(ConfigError, match=says):
        load_config(None, parse("--structure", value))


def test_a_degradation_has_one_structure():
    decorated = click.command()(config_options(lambda **flags: None))
    result = CliRunner().invoke(decorated, ["--structure", "haze=model,haze=photograph"])
    assert result.exit_code == 2
    assert "haze is given twice" in result.output


def test_every_field_and_its_default_are_in_the_help():
    command = click.Command("x", callback=lambda **flags: None)
    config_options(command.callback)
    decorated = click.command(cls=ConfigCommand)(config_options(lambda **flags: None))
    text = " ".join(CliRunner().invoke(decorated, ["--help"]).output.split())
    for name, value in (
        BuildConfig().model_dump(exclude={"filter", "generator", *FILE_ONLY}).items()
    ):
        assert f"--{name.replace('_', '-')}" in text
        if isinstance(value, (int, float)) and not isinstance(value, bool):
            assert f"[default: {value}]" in text
    for name in BuildConfig().filter.model_dump():
        assert f"--filter-{name.replace('_', '-')}" in text
    for name in BuildConfig().generator.model_dump():
        assert f" --{name.replace('_', '-')}" in text
    assert "under filter:" in text


@pytest.mark.parametrize("value", ["niqe", "niqe=5", "niqe=low:high"])
def test_bounds_that_are_none_are_refused(value):
    decorated = click.command()(config_options(lambda **flags: None))
    result = CliRunner().invoke(decorated, ["--filter-metrics", value])
    assert result.exit_code == 2
    assert "NAME=LOW:HIGH" in result.output
