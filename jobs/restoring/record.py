"""Which dataset restored pictures are of, and what made them: a file beside them.

Keys do not tell: those of two datasets of the same photographs are the same.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from gends.jobs.training.inputs import source_of
from gends.jobs.training.trained_on import History, history_of
from gends.models.files.digest import digest_folder
from gends.pipeline.sources.own_output import RESTORED_NAME as RECORD
from gends.pipeline.storage.opening import open_store
from gends.pipeline.storage.store import Store

Record = Mapping[str, Any]


def begin_record(store: Store, dataset: Path | None, model: Path, targets: Iterable[str]) -> None:
    """Note in the output folder what is going to be restored into it, or find that noted.

    Args:
        store: the output folder.
        dataset: root; None for pictures of no dataset, which need no record.
        model: folder of the restorer.
        targets: names of the pictures that will be written.

    Raises:
        ValueError: there are restored pictures of something else, or it is not known of what.
    """
    found = read_record(store)
    if dataset is None:
        if found is not None:
            raise ValueError(f"{_pictures(store)} of a dataset, and IN is none; name another OUT")
        return
    wanted = {"data": source_of(dataset), "model_digest": digest_folder(model)}
    if found is not None:
        if differs := list(_differences(found, wanted)):
            raise ValueError(f"{_pictures(store)} {' and '.join(differs)}; name another OUT")
        return
    if any(map(store.exists, targets)):
        raise ValueError(
            f"{store.url} holds pictures by the keys of {dataset}, and no {RECORD} says of which "
            "dataset and model; name another OUT"
        )
    record = wanted | {"trained_on": _history(model).to_json()}
    with store.publish(RECORD) as file:
        file.write(json.dumps(record, indent=1, sort_keys=True).encode() + b"\n")


def check_record(place: Path, dataset: str) -> Record | None:
    """The record beside restored pictures; None where they were made elsewhere.

    Raises:
        ValueError: they are of another dataset, or of this one when it had other shards.
    """
    record = read_record(open_store(place))
    if record is None:
        return None
    now = {"data": source_of(dataset)}
    if record["data"] != now["data"]:
        raise ValueError(
            f"{place} holds restored pictures of another dataset than {dataset}, or of what it was "
            f"before: {place / RECORD} names {_shards(record)}, and there is "
            f"{_shards(now)}; restore it again, into a new folder"
        )
    return record


def read_record(store: Store) -> Record | None:
    """What was noted in a folder, if anything.

    Raises:
        ValueError: it is damaged.
    """
    if not store.exists(RECORD):
        return None
    try:
        record: Record = json.loads(store.read(RECORD))
        for digest in (record["data"]["shards"], record["model_digest"]):
            if not isinstance(digest, str):
                raise TypeError(f"{digest!r} is no digest")
        History.from_json(record["trained_on"])
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise ValueError(
            f"{store.where(RECORD)}: damaged ({error!r}), so it is not known of which dataset the "
            "pictures beside it are, or by what; restore into a new folder"
        ) from error
    return record


def _history(model: Path) -> History:
    """What a restorer was trained on; a damaged record stops no restoring, it tells nothing."""
    try:
        return history_of(model)
    except ValueError:
        return History(unknown=str(model))


def _pictures(store: Store) -> str:
    return f"{store.url} holds restored pictures"


def _differences(found: Record, wanted: Record) -> Iterator[str]:
    if found["data"] != wanted["data"]:
        yield f"of another dataset ({_shards(found)}, IN has {_shards(wanted)})"
    before, now = (record["model_digest"][:16] for record in (found, wanted))
    if found["model_digest"] != wanted["model_digest"]:
        yield f"by another model ({before}, MODEL is {now})"


def _shards(record: Record) -> str:
    return f"shards {record['data']['shards'][:16]}"
