"""What became of shards that were damaged, or opened again for another reason."""

from __future__ import annotations

from gends.jobs.tally import Tally
from gends.pipeline.manifest import shard_name

TEXTS = {
    "same": "made again, to the same bytes",
    "unknown": "made again; its old checksum was lost",
    "other": "made again, but its bytes differ from those recorded: a photograph, a version or the "
    "hardware has changed since",
}


def remade_lines(tally: Tally) -> list[str]:
    """A line for each shard that a build made again where `repair` had found damage."""
    return [f"{shard_name(shard)}: {TEXTS[what]}" for shard, what in sorted(tally.remade.items())]
