"""The tables of the report in Markdown, from rows of `summary.SCHEMA`."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from experiment import ARMS, BASELINE, CLAIM, CONTROL, TESTS
from summary import INPUT, LOWER_IS_BETTER, verdict

from gends.pipeline.evaluation.tables import DECIMALS, metric_heading

Row = dict[str, Any]
OTHERS = tuple(arm for arm in ARMS if arm != BASELINE)
SHOWN = {"mean": (INPUT, *ARMS), "gain": OTHERS, "pairing": (CLAIM,)}
"""Kind of figure → arms that have it."""


def answers(rows: Sequence[Row], metrics: Sequence[str]) -> str:
    """Per restorer, test set and metric: better, worse, or open, for each arm beside `existing`."""
    heads = ["restorer", "pairs", "figure", *map(arm_title, OTHERS)]
    lines = []
    for restorer, test, metric in (
        (restorer, test, metric)
        for restorer in restorers(rows)
        for test in TESTS
        for metric in metrics
    ):
        cells = []
        for arm in OTHERS:
            row = find(
                rows,
                test=test,
                restorer=restorer,
                arm=arm,
                metric=metric,
                kind="gain",
                degradation=None,
            )
            cells.append("–" if row is None else verdict(row, LOWER_IS_BETTER[metric]))
        lines.append([restorer, test, metric.upper(), *cells])
    return table(heads, lines, words=len(heads))


def figures(
    rows: Sequence[Row],
    metrics: Sequence[str],
    restorer: str,
    kind: str,
    *,
    degradations: Sequence[str | None] = (None,),
    cell: Callable[[Row], str] | None = None,
) -> str:
    """Figures of a kind of a restorer's arms, a column per test set and metric."""
    columns = [(test, metric) for test in TESTS for metric in metrics]
    several = degradations != (None,)
    heads = ["degradation"] * several + ["trained on"]
    heads += [f"{test}: {metric_heading(m, LOWER_IS_BETTER[m])}" for test, m in columns]
    lines = []
    for degradation in degradations:
        for arm in SHOWN[kind]:
            cells = []
            for test, metric in columns:
                row = find(
                    rows,
                    test=test,
                    metric=metric,
                    kind=kind,
                    restorer=None if arm == INPUT else restorer,
                    arm=arm,
                    degradation=degradation,
                )
                cells.append("–" if row is None else (cell or figure)(row))
            labels = [str(degradation).replace("_", " ")] * several
            lines.append([*labels, arm_title(arm), *cells])
    return table(heads, lines, words=1 + several)


def figure(row: Row) -> str:
    """A mean or a gain with its interval."""
    value = printed(row, row["value"])
    if row["low"] is None:
        return value
    return f"{value} [{printed(row, row['low'])}, {printed(row, row['high'])}]"


def by_seed(row: Row) -> str:
    """The same of each seed."""
    return " / ".join(printed(row, value) for value in row["by_seed"])


def printed(row: Row, value: float) -> str:
    sign = "" if row["kind"] == "mean" else "+"
    return f"{value:{sign}.{DECIMALS[row['metric']]}f}"


def arm_title(arm: str) -> str:
    """As tables and plots name an arm."""
    return {INPUT: f"({INPUT})", CONTROL: f"{CONTROL} (control)"}.get(arm, arm)


def restorers(rows: Sequence[Row]) -> list[str]:
    """In the order in which they come."""
    return list(dict.fromkeys(row["restorer"] for row in rows if row["restorer"]))


def degradations(rows: Sequence[Row]) -> list[str]:
    """In the order in which they come."""
    return list(dict.fromkeys(row["degradation"] for row in rows if row["degradation"]))


def find(rows: Sequence[Row], **wanted: str | None) -> Row | None:
    """The row with these values, if there is one."""
    return next(_matching(rows, wanted), None)


def _matching(rows: Sequence[Row], wanted: dict[str, str | None]) -> Iterator[Row]:
    return (row for row in rows if all(row[name] == value for name, value in wanted.items()))


def table(heads: Sequence[str], lines: Sequence[Sequence[str]], words: int) -> str:
    """Markdown; the first `words` columns are words and the others figures."""
    rule = ["---"] * words + ["---:"] * (len(heads) - words)
    return "\n".join(f"| {' | '.join(cells)} |" for cells in (heads, rule, *lines))
