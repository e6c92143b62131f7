"""Which steps the pairs of a label have, for people."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

MOST = 12
"""Kinds that are named, the most frequent first; `--json` has all."""


def step_lines(counts: Mapping[str, int], *, is_sample: bool = False) -> Iterator[str]:
    """A line for each; shares in place of numbers where only a sample was counted."""
    total = sum(counts.values())
    ordered = sorted(counts.items(), key=lambda item: -item[1])
    for steps, count in ordered[:MOST]:
        shown = f"about {100 * count / total:.1f}%" if is_sample else str(count)
        yield f"{shown:>12s}  {steps_text(steps)}"
    if len(ordered) > MOST:
        rest = sum(count for _, count in ordered[MOST:])
        shown = f"about {100 * rest / total:.1f}%" if is_sample else str(rest)
        yield f"{shown:>12s}  {len(ordered) - MOST} others, named by --json"


def steps_text(steps: str) -> str:
    """The column `steps` for people: pairs, and regions, may have none."""
    return "|".join(region or "untouched" for region in steps.split("|"))
