from __future__ import annotations

import os
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gends.pipeline.names import (
    control_problem,
    hidden_name,
    own_id,
    path_problem,
    printable,
    source_id,
)

anything = st.text(st.characters(codec=None, categories=None))


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("a b/ü图.png", "a b/ü图.png"),
        ("a\nb\0\x1b[2J", "a\\nb\\x00\\x1b[2J"),
        ("\x85\u2028\u202e\u2066", "\\x85\\u2028\\u202e\\u2066"),
        (os.fsdecode(b"caf\xe9.png"), "caf\\xe9.png"),
        ("\ud800", "\\ud800"),
        ("back\\slash", "back\\slash"),
    ],
)
def test_what_harms_is_spelled_out_and_nothing_else(name, shown):
    assert printable(name) == shown


@given(anything)
def test_spelled_names_are_printable_text(name):
    shown = printable(name)
    shown.encode()
    assert not {"Cc", "Zl", "Zp", "Cs"} & {unicodedata.category(letter) for letter in shown}
    assert printable(shown) == shown


@given(anything)
def test_a_name_is_spelled_out_exactly_when_it_has_a_problem(name):
    assert (path_problem(name) is None) == (own_id(name) is None) == (printable(name) == name)


def test_bytes_that_are_not_utf8_are_no_control_characters():
    foreign = os.fsdecode(b"caf\xe9.png")
    assert control_problem(foreign) is None
    assert path_problem(foreign) == "its name is not UTF-8; rename it"
    assert control_problem(f"{foreign}\n") == "its name holds control characters; rename it"


def test_names_that_are_spelled_alike_have_different_ids():
    assert source_id("a\nb.png") != source_id("a\\nb.png")


@pytest.mark.parametrize("name", ["a", "b" * 255, "写" * 85, "\udcff" * 250, "é" * 127])
def test_hidden_names_fit_and_are_told_apart(name, tmp_path):
    hidden = hidden_name(name, "0" * 32)
    (tmp_path / hidden).touch()  # the filesystem takes it
    assert hidden.startswith(".")
    assert hidden.endswith("." + "0" * 32)
    assert hidden != hidden_name(name[:-1] + "x", "0" * 32)
