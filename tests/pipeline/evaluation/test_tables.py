from __future__ import annotations

import re

import pyarrow as pa
import pytest

from gends.pipeline.evaluation.latex import escaped, to_latex
from gends.pipeline.evaluation.markdown import to_markdown
from gends.pipeline.evaluation.summary import SCHEMA
from gends.pipeline.evaluation.tables import sheets_of

NOTES = ["Judged: runs/my_model.", "NIQE is missing: 100 % out of reach."]


def row(**values):
    known = dict.fromkeys(SCHEMA.names)
    known |= {"data": "a_set", "images": "restored", "pairs": 4, "photographs": 2, "mu": 0.1}
    return known | {"lower_is_better": values.get("metric") != "psnr"} | values


@pytest.fixture
def made():
    return pa.Table.from_pylist(
        [
            row(metric="psnr", value=27.126, low=26.0, high=28.0),
            row(metric="lpips", value=0.1234, low=0.1, high=0.2, pairs=3),
            row(metric="psnr", images="gain", value=1.5, low=-0.25, high=2.0),
            row(metric="psnr", degradation="motion_blur", mu_low=0.1, mu_high=0.15, value=20.0),
        ],
        schema=SCHEMA,
    )


def test_markdown_says_figures_intervals_counts_and_what_is_missing(made):
    text = to_markdown(made, NOTES)
    assert "- NIQE is missing: 100 % out of reach." in text
    assert "| degradation | pairs | images | PSNR ↑ | LPIPS ↓ |" in text
    assert "| all | 4 | restored | 27.13 [26.00, 28.00] | 0.123 [0.100, 0.200] (n=3) |" in text
    assert "| all | 4 | gain | +1.50 [-0.25, +2.00] | – |" in text
    assert "| motion blur | 0.1–0.15 | 4 | restored | 20.00 |" in text


def test_every_row_of_a_markdown_table_has_as_many_cells_as_its_head(summary):
    text = to_markdown(summary, NOTES)
    tables = re.findall(r"(?:^\|.*\n)+", text, flags=re.MULTILINE)
    assert len(tables) == 3
    for table in tables:
        assert len({line.count("|") for line in table.splitlines()}) == 1
    assert text.count("### ") == 3


def test_latex_is_balanced_escaped_and_says_what_is_missing(summary):
    text = to_latex(summary, NOTES)
    assert r"a\_set: by degradation." in text
    assert r"NIQE is missing: 100 \% out of reach." in text
    assert "% NIQE is missing" in text
    for name in ("table", "tabular"):
        assert text.count(rf"\begin{{{name}}}") == text.count(rf"\end{{{name}}}") == 3
    for rule in ("toprule", "midrule", "bottomrule"):
        assert text.count(rf"\{rule}") == 3
    for part in re.findall(r"\\begin\{tabular\}\{([lr]+)\}(.*?)\\end\{tabular\}", text, re.DOTALL):
        lines = [line for line in part[1].splitlines() if line.endswith(r"\\")]
        assert {line.count(" & ") + 1 for line in lines} == {len(part[0])}
    assert re.search(r"[↑↓–μ]", text) is None


def test_every_latex_table_has_a_label_of_its_own():
    names = ("x y", "x-y", "x_Y")
    rows = [row(data=name, metric="psnr", value=20.0) for name in names]
    text = to_latex(pa.Table.from_pylist(rows, schema=SCHEMA), NOTES)
    assert re.findall(r"\\label\{(.*)\}", text) == [
        "tab:x-y-by-degradation",
        "tab:x-y-by-degradation-2",
        "tab:x-y-by-degradation-3",
    ]


def test_what_latex_takes_for_commands_is_printed():
    assert escaped(r"50 % of a_b & {c} \d ~ ^") == (
        r"50 \% of a\_b \& \{c\} \textbackslash{}d \textasciitilde{} \textasciicircum{}"
    )


def test_sheets_group_rows_by_what_they_are_of(summary):
    by_degradation, by_dataset, by_severity = sheets_of(summary)
    assert by_degradation.labels == ("degradation", "pairs", "images")
    assert by_dataset.labels[1] == "severity dataset"
    assert by_severity.labels[1] == "mu"
    names = [labels[0] for labels, _ in by_degradation.rows[::3]]
    assert names[0] == "all"
    assert names[1:] == sorted(names[1:])
    assert [labels[-1] for labels, _ in by_degradation.rows[:3]] == ["degraded", "restored", "gain"]
