"""How often units broke by their own fault, and what is done about it."""

from __future__ import annotations

from collections import Counter
from typing import Literal

from ray.exceptions import RayError

from gends.jobs.building.in_flight import UnitInFlight
from gends.jobs.cluster.cause import last_line, origin
from gends.jobs.errors import BuildError
from gends.pipeline.planning.plan import Plan
from gends.pipeline.types import Failure

MOST = 3
"""Times a unit may break its stages before its requests are made one by one."""


class Attempts:
    """Attempts at units that broke; what machines and memory did is none."""

    def __init__(self, plan: Plan) -> None:
        """Nothing broke yet."""
        self._plan = plan
        self._counts: Counter[tuple[int, int]] = Counter()

    def count(
        self, sent: UnitInFlight, error: RayError, *, made: int
    ) -> Literal["again", "carefully", "fail"]:
        """Count one more and say what follows; `made` requests were made so far.

        Raises:
            BuildError: the first units break one and all, and going on would fail every request.
        """
        place = (sent.unit.shard, sent.unit.index)
        self._counts[place] += MOST if sent.hung else 1
        if not made and len(self._counts) >= self._hopeless(error):
            raise BuildError(
                f"nothing could be made: {len(self._counts)} units broke, the last with\n{error}"
            ) from error
        if self._counts[place] < MOST:
            return "again"
        if not sent.careful or self._counts[place] < 2 * MOST:
            return "carefully"
        return "fail"

    def _hopeless(self, error: RayError) -> int:
        """Different units that may break before anything is made; fewer may be poison.

        What raises in one and the same way will raise again; what dies may have met poison.
        """
        if not _raised(error):
            return 3 * MOST
        units = sum(self._plan.num_units(n) for n in range(min(self._plan.num_shards, MOST)))
        return max(2, min(MOST, units))


def failure_of(error: RayError) -> Failure:
    """Why every request of a unit failed that broke whatever was done."""
    if _raised(error):
        return Failure(code="engine_error", detail=last_line(error))
    # Of a death Ray tells process numbers and addresses, and manifests are reproducible.
    return Failure(code="worker_died", detail="the processes that worked on it ended")


def _raised(error: RayError) -> bool:
    return not isinstance(origin(error), RayError)
