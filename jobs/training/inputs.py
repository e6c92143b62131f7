"""What a training is given: its device, names for its data and for the weights it begins with."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click
import torch
from blake3 import blake3

from gends.models.files.digest import digest_folder
from gends.pipeline.format.identity import read_identity
from gends.pipeline.format.manifest import read_facts
from gends.pipeline.format.shard import checksum_of
from gends.pipeline.reading.reader import readable_shards
from gends.pipeline.storage.opening import open_store


def device_of(name: str | None) -> str:
    """The device of that name; where none is given, a GPU if there is one.

    Raises:
        click.BadParameter: there is no such device here.
    """
    if name is None:
        return "cuda" if torch.cuda.is_available() else "cpu"
    try:
        torch.empty(0, device=name)
    # A build without CUDA asserts that it has none.
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        reason = str(error).splitlines()[0]
        raise click.BadParameter(
            f"no device {name!r} here ({reason}); give cpu, cuda or cuda:N", param_hint="--device"
        ) from error
    return name


def source_of(root: Path | str) -> dict[str, Any]:
    """Names the data of a run: what a dataset was founded with, and the bytes of its shards.

    Raises:
        IdentityError, DamageError: as `read_identity`.
    """
    store = open_store(root)
    identity = read_identity(store)
    shards = blake3()
    for shard in readable_shards(store):
        shards.update(f"{shard} {read_facts(store, shard)['shard_blake3']}\n".encode())
    names = ("config_digest", "catalog_digest", "profile_digest", "engine")
    return {name: identity[name] for name in names} | {"shards": shards.hexdigest()}


def start_of(model: Path | None) -> dict[str, Any]:
    """Names the weights that a run begins with, a folder's or a file's, wherever they lie."""
    if model is None:
        return {"starts_from": None}
    return {"starts_from": digest_folder(model) if model.is_dir() else checksum_of(model)}
