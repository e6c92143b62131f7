"""Say how a build is going: a live line on a terminal, plain lines elsewhere, JSON for machines."""

from __future__ import annotations

import json
import sys
from typing import Any, Literal

from gends.jobs.building.tally import Tally
from gends.jobs.console.duration import duration
from gends.jobs.console.last_line import LastLine
from gends.pipeline.sources.passed_over import PassedOver

Style = Literal["auto", "json"]


class Progress:
    """A context manager; call it with the tally as often as you like."""

    def __init__(self, style: Style = "auto") -> None:
        """`auto` is live on a terminal and a line every ten seconds elsewhere."""
        self._json = style == "json"
        # A build turns sys.stdout away while Ray runs.
        self._line = LastLine(sys.stdout if self._json else None, wait=0)

    def __enter__(self) -> Progress:
        """Take over the last line of a terminal."""
        self._line.__enter__()
        return self

    def __exit__(self, *error: object) -> None:
        """Give it back."""
        self._line.__exit__(*error)

    def say(self, what: str) -> None:
        """Tell a person, in a line that stays."""
        if not self._json:
            self._line.say(what)

    def say_passed_over(self, passed_over: PassedOver) -> None:
        """Tell what a source holds beside photographs."""
        if self._json:
            facts = {"event": "source", "passed_over": passed_over.facts()}
            self._line.say(json.dumps(facts))
        elif passed_over.text():
            self._line.say(passed_over.text())

    def __call__(self, tally: Tally, *, final: bool = False) -> None:
        """Show where the build is."""
        line = json.dumps(_facts(tally)) if self._json else _line(tally)
        self._line.show(line, final=final)


def _facts(tally: Tally) -> dict[str, Any]:
    return {
        "event": "progress",
        "total": tally.total,
        "resumed": tally.resumed,
        "done": tally.done,
        "accepted": tally.statuses["accepted"],
        "rejected": tally.statuses["rejected"],
        "failed": tally.statuses["failed"],
        "redrawn": tally.redrawn,
        "sealed_shards": tally.sealed,
        "pairs_per_second": round(tally.rate, 3),
        "workers": tally.num_workers,
        "worker_busy_share": None if tally.busy_share is None else round(tally.busy_share, 3),
        "seconds": round(tally.seconds, 1),
        "eta_seconds": None if tally.eta is None else round(tally.eta, 1),
    }


def _line(tally: Tally) -> str:
    finished = tally.resumed + tally.done
    eta = "?" if tally.eta is None else duration(tally.eta)
    busy = "?" if tally.busy_share is None else f"{tally.busy_share:.0%}"
    return (
        f"{finished}/{tally.total} pairs ({finished / max(tally.total, 1):.0%}), now: "
        f"{tally.statuses['accepted']} accepted, {tally.statuses['rejected']} rejected, "
        f"{tally.statuses['failed']} failed  {tally.rate:.2f} pairs/s  "
        f"workers: {tally.num_workers}, {busy} busy  ETA {eta}"
    )
