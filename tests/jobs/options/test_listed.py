from __future__ import annotations

import click
import pytest
from click.testing import CliRunner

from gends.jobs.options.flags import with_flags
from gends.jobs.options.listed import degradations, floats, names
from gends.models.metrics.default import DEFAULT
from gends.models.restorers.architectures import ARCHITECTURES
from gends.pipeline.evaluation.groups import SEVERITIES


@pytest.mark.parametrize(
    ("text", "found"),
    [("", ()), ("a", ("a",)), (" a , b,, c,", ("a", "b", "c")), ("a b,ü", ("a b", "ü"))],
)
def test_names_stand_with_commas_between(text, found):
    assert names(text) == found


def test_any_label_may_be_named_as_the_dataset_knows_which_there_are():
    assert degradations("rain, my_mixture") == ("rain", "my_mixture")


@pytest.mark.parametrize("text", ["", "1,", "a", "1;2", "nan,1", "1,inf"])
def test_numbers_are_numbers(text):
    assert floats("0, 0.5,1") == (0.0, 0.5, 1.0)
    with pytest.raises(click.BadParameter, match="is not numbers with commas between"):
        floats(text)


def test_flags_stand_in_the_help_as_in_the_list():
    flags = [click.option(f"--{name}") for name in ("one", "two", "three")]
    help_text = CliRunner().invoke(click.command()(with_flags(flags)(lambda: None)), "--help")
    places = [help_text.output.index(f"--{name}") for name in ("one", "two", "three")]
    assert places == sorted(places)


def test_what_the_help_offers_is_what_there_is(cli):
    text = "".join(cli("evaluate", "--help").out.split())
    assert f"[default:{','.join(DEFAULT)}]" in text
    assert f"[default:{','.join(f'{edge:g}' for edge in SEVERITIES)}]" in text
    assert f"[{'|'.join(ARCHITECTURES)}]" in cli("train", "restorer", "--help").out
