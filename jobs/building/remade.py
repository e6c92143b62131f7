"""What became of shards that were damaged, or opened again for another reason."""

from __future__ import annotations

from gends.pipeline.format.manifest import shard_name
from gends.pipeline.keeping.reopened import Outcome

TEXTS = {
    "same": "made again, to the same bytes",
    "unknown": "made again; its old checksum was lost",
    "other": "made again, but its bytes differ from those recorded: a photograph, a version or the "
    "hardware has changed since",
}


def remade_line(shard: int, outcome: Outcome) -> str:
    """What became of a shard that a build made again where `repair` had found damage."""
    return f"{shard_name(shard)}: {TEXTS[outcome]}"
