"""Restores the pictures of a source one after another, and counts what became of them."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path

import torch

from gends.jobs.cluster.gpu import gpu_failed
from gends.jobs.console.alive import alive
from gends.jobs.console.count import Count
from gends.jobs.errors import BuildError
from gends.jobs.restoring.record import begin_record
from gends.jobs.restoring.trained_restorer import Restorer
from gends.jobs.training.inputs import device_of
from gends.pipeline.evaluation.restoring import (
    BadPictureError,
    Restorable,
    check_apart,
    encode_restored,
    is_dataset,
    is_there,
    restorables,
    write_restored,
)
from gends.pipeline.format.damage import PairError
from gends.pipeline.names import printable
from gends.pipeline.storage.opening import open_store
from gends.pipeline.storage.store import Store


def restore_all(  # noqa: PLR0913  the flags of a command
    source: Path,
    folder: Path,
    *,
    model: Path,
    target: str | None,
    suffix: str,
    overwrite: bool,
    outside: bool,
    max_pixels: int,
    tile: int,
    overlap: int,
    device: str | None,
    bf16: bool | None,
    threads: int | None,
) -> Counter[str]:
    """Restore into a folder; returns how many are `restored`, `there` already, and `failed`.

    Args:
        source: see `restorables`.
        folder: where to write.
        model: folder of a restorer.
        target: name in the folder of a single picture; None takes those of the source.
        suffix: of the names that follow from the source.
        overwrite: write over what is there.
        outside: also restore what lies outside of the source's folder.
        max_pixels: of the largest picture decoded.
        tile: side of a tile.
        overlap: of neighbouring tiles.
        device: as torch names it; None takes a GPU where there is one.
        bf16: None is on for GPUs.
        threads: of the CPU; None leaves them as they are.

    Raises:
        ValueError: source or model cannot be used, a single picture is there already, or the
            folder holds those of another dataset or model, or what is to be restored.
    """
    if threads:
        torch.set_num_threads(threads)
    with alive("looking for pictures"):
        pictures = restorables(source, max_pixels=max_pixels, suffix=suffix, outside=outside)
    store = open_store(folder)
    if target is not None:
        pictures = [replace(picture, target=target) for picture in pictures]
    check_apart(pictures, folder)
    if target is not None and store.exists(target) and not overwrite:
        raise ValueError(f"{folder / target} is there already; --overwrite replaces it")
    chosen = device_of(device)
    with alive("loading the restorer"):
        restorer = Restorer.open(model, tile=tile, overlap=overlap, device=chosen, bf16=bf16)
    dataset = source if is_dataset(source) else None
    begin_record(store, dataset, model, (picture.target for picture in pictures))
    counts: Counter[str] = Counter()
    with Count("pictures", len(pictures)) as count:
        for picture in pictures:
            counts[_restore(picture, store, restorer, count, overwrite=overwrite)] += 1
            count.step()
    return counts


def _restore(
    picture: Restorable, store: Store, restorer: Restorer, count: Count, *, overwrite: bool
) -> str:
    """What became of a picture."""
    try:
        if is_there(store, picture.target) and not overwrite:
            return "there"
        data = encode_restored(restorer(picture.read()), picture.target)
        written = write_restored(store, picture.target, data, overwrite=overwrite)
    except BuildError:
        raise  # no memory for a tile is no fault of this picture
    # RuntimeError is what networks say of sizes that they cannot take.
    except (BadPictureError, PairError, FloatingPointError, RuntimeError) as error:
        if gpu_failed(error):
            raise BuildError(f"{error}; the same command resumes") from error
        reason = printable(str(error).strip().partition("\n")[0])
        count.say(f"failed: {picture.name}: {reason}")
        return "failed"
    return "restored" if written else "there"
