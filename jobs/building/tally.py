"""What a build has done so far."""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import dataclass, field

from gends.pipeline.keeping.reopened import Outcome


@dataclass(frozen=True, slots=True, kw_only=True)
class UnitReport:
    """What became of one unit, in a few bytes for the driver."""

    shard: int
    index: int
    statuses: Counter[str]
    reasons: Counter[str]
    redrawn: int = 0
    seconds: float = 0.0
    """Spent in the engine."""
    rewritten: tuple[str, ...] = ()
    """uri of photographs that were written to after they were listed."""


@dataclass(slots=True)
class Tally:
    """Counts of one build, for progress and summary."""

    total: int
    """Requests of the plan."""
    done: int = 0
    """Requests that this build finished."""
    resumed: int = 0
    """Requests that were finished before it began."""
    redrawn: int = 0
    num_workers: int = 0
    busy: float = 0.0
    """Seconds that workers spent in the engine."""
    statuses: Counter[str] = field(default_factory=Counter)
    reasons: Counter[str] = field(default_factory=Counter)
    sealed: int = 0
    """Shards that are sealed."""
    sealed_before: int = 0
    """Of these, shards that were when it began."""
    remade: dict[int, Outcome] = field(default_factory=dict)
    """Shards that were sealed again after `repair` had opened them."""
    rewritten: list[str] = field(default_factory=list)
    """uri of photographs that were written to after they were listed."""
    started: float = field(default_factory=time.monotonic)
    ended: float | None = None

    def start(self) -> None:
        """Start the clock."""
        self.started = time.monotonic()

    def end(self) -> None:
        """Stop the clock."""
        self.ended = time.monotonic()

    def add(self, report: UnitReport) -> None:
        """Count a unit."""
        self.done += report.statuses.total()
        self.redrawn += report.redrawn
        self.busy += report.seconds
        self.statuses += report.statuses
        self.reasons += report.reasons
        self.rewritten += report.rewritten

    @property
    def seconds(self) -> float:
        """Since the build began."""
        return (self.ended or time.monotonic()) - self.started

    @property
    def rate(self) -> float:
        """Requests finished per second."""
        return self.done / max(self.seconds, 1e-6)

    @property
    def busy_share(self) -> float | None:
        """Part of the workers' time that went into the engine, once a unit says how long it took.

        Of the units on their way it is not known yet: the share is a little low until then.
        """
        if not self.done:
            return None
        return min(1.0, self.busy / max(self.seconds * self.num_workers, 1e-6))

    @property
    def eta(self) -> float | None:
        """Seconds left, when a rate is known."""
        return (self.total - self.resumed - self.done) / self.rate if self.done else None
