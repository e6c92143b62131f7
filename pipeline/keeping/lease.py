"""The right to write under a root: one build holds it at a time, and a dead one loses it.

A lease is a numbered file, created only, that names its holder; the highest number holds the root.
Numbers never begin anew, or a build that slept while it took one could take it from a third: the
last holder gives its lease back by leaving the file without a holder.
The holder beats: it rewrites a second file every few seconds. Whoever wants the root watches that
file for a while by a clock of his own, so no two machines' clocks are ever compared. Nothing can
take a lease away from a holder that only sleeps and wakes up again; so a holder asks whether it
still holds before it publishes, and what it publishes last is created only.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import socket
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from gends.pipeline.format.damage import DamageError
from gends.pipeline.storage.store import AlreadyExistsError, StorageError, Store

FOLDER = "lease"
_NAME = re.compile(r"([0-9]{6,})\.(?:json|beat)")
PATIENCE = 20.0
"""Seconds without a beat after which a holder counts as dead."""
LOOKS = 100
"""Times that a lease may be given back between being listed and being read."""
BEATS = 4
"""Beats within that time."""


class LeaseHeldError(BlockingIOError):
    """Another build is writing under the root."""


class LeaseLostError(RuntimeError):
    """Another build has taken the root over; this one must not publish anything any more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Lease:
    """One holder's claim on a root."""

    number: int
    holder: str
    """Unique to this claim; "" for one that was given back."""
    host: str
    pid: int
    boot: str
    """Of the holder's machine since it started, "" where that is not known."""
    born: str
    """When the holder's process started, as the kernel counts."""

    @property
    def name(self) -> str:
        """Name of the lease file."""
        return f"{FOLDER}/{self.number:06d}.json"

    def check(self, store: Store) -> None:
        """Make sure that the root is still held.

        Raises:
            LeaseLostError: another build has taken it over.
        """
        newest = newest_lease(store)
        if newest is None or newest.holder != self.holder:
            by = f"{newest.host}, process {newest.pid}" if newest else "a build that is over"
            raise LeaseLostError(f"{store.url} was taken over by {by}; this build stops")


def newest_lease(store: Store) -> Lease | None:
    """Who holds, or last held and did not give back, a root.

    Raises:
        DamageError: as `_newest`.
    """
    newest = _newest(store)
    return newest if newest and newest.holder else None


def forget_leases(store: Store) -> None:
    """Remove what is left of a root that was never founded, unless somebody holds it by now."""
    newest = _newest(store)
    if newest is None or newest.holder:
        return
    version = store.version(newest.name)
    if newest_lease(store) is None:
        store.remove(newest.name, version)


def _newest(store: Store) -> Lease | None:
    """The lease of the highest number, held or given back.

    Raises:
        DamageError: the newest lease cannot be read, or is not the one that its name says.
    """
    for _ in range(LOOKS):
        names = [name for _, name in _files(store) if name.endswith(".json")]
        if not names:
            return None
        newest = f"{FOLDER}/{names[-1]}"
        try:
            lease = _decoded(store.read(newest))
            break
        except FileNotFoundError:
            lease = None  # succeeded in between, or a link that leads nowhere
    if lease is None or lease.name != newest:
        raise DamageError(
            f"{store.where(newest)}: not a lease; if no build is writing here, delete it"
        )
    return lease


def _decoded(data: bytes) -> Lease | None:
    """The lease in a file, or None if it holds something else."""
    try:
        lease = Lease(**json.loads(data))
    except (ValueError, TypeError, RecursionError):
        return None
    texts = (lease.holder, lease.host, lease.boot, lease.born)
    numbers = (lease.number, lease.pid)
    fits = all(type(text) is str for text in texts) and all(type(n) is int for n in numbers)
    return lease if fits else None


def _files(store: Store) -> list[tuple[int, str]]:
    """Numbers and names of leases and beats, in order; what others put there is not ours."""
    found = (_NAME.fullmatch(name) for name in store.names(FOLDER))
    return sorted((int(match[1]), match[0]) for match in found if match)


@contextlib.contextmanager
def hold(
    store: Store,
    *,
    patience: float = PATIENCE,
    on_wait: Callable[[str], None] = lambda text: None,
    on_lost: Callable[[], None] = lambda: None,
) -> Iterator[Lease]:
    """Hold the root for the duration of the block.

    Takes over from a holder that is dead: at once on the same machine, else after `patience`
    seconds without a sign of life. What a former holder had begun to write is swept away, so that
    on a disk it publishes nothing when it wakes up. `on_lost` is called from another thread when
    the lease was lost.

    Raises:
        LeaseHeldError: another build holds the root and lives.
    """
    lease = _acquire(store, patience, on_wait)
    folders = ("shards", "manifest", FOLDER, *(f"work/{name}" for name in store.names("work")))
    lease.check(store)
    for folder in folders:
        store.sweep(folder)
    stop = threading.Event()
    # A beat that comes late is of no use, and giving back what cannot be reached is no use either.
    hasty = store.with_timeout(patience / BEATS)
    beat = _Beat(hasty, lease, patience / BEATS, stop, on_lost)
    beat.start()
    try:
        yield lease
    finally:
        stop.set()
        beat.join()
        # A root that cannot be reached keeps the lease; the next build will find its holder dead.
        with contextlib.suppress(OSError):
            _give_back(hasty, lease)


def _acquire(store: Store, patience: float, on_wait: Callable[[str], None]) -> Lease:
    before = _newest(store)
    if before is not None and before.holder and _lives(store, before, patience, on_wait):
        raise LeaseHeldError(
            f"{store.url}: another gends-build is writing here ({before.host}, process "
            f"{before.pid}); wait for it or stop it"
        )
    lease = Lease(
        number=1 if before is None else before.number + 1,
        holder=uuid.uuid4().hex,
        host=socket.gethostname(),
        pid=os.getpid(),
        boot=_boot(),
        born=_born(os.getpid()),
    )
    try:
        _beat(store, lease, 0)
        _publish(store, lease, create_only=True)
    except AlreadyExistsError as error:
        raise LeaseHeldError(f"{store.url}: another gends-build has just begun here") from error
    except OSError:
        with contextlib.suppress(OSError):
            store.remove(_beat_name(lease))
        raise
    for number, name in _files(store):
        if number < lease.number:
            store.remove(f"{FOLDER}/{name}")
    return lease


def _publish(store: Store, lease: Lease, *, create_only: bool = False) -> None:
    with store.publish(lease.name, create_only=create_only) as file:
        file.write(json.dumps(asdict(lease)).encode())


def _give_back(store: Store, lease: Lease) -> None:
    newest = newest_lease(store)
    if newest is not None and newest.holder == lease.holder:
        try:
            _publish(store, replace(lease, holder=""))
        except StorageError:  # a full disk: better that numbers begin anew than that it stays held
            store.remove(lease.name)
        store.remove(_beat_name(lease))


def _lives(store: Store, lease: Lease, patience: float, on_wait: Callable[[str], None]) -> bool:
    if lease.boot and lease.boot == _boot() and lease.host == socket.gethostname():
        return bool(lease.born) and _born(lease.pid) == lease.born
    on_wait(f"{lease.host} held this root; watching for {patience:.0f} s whether it still does")
    deadline, first = time.monotonic() + patience, _read_beat(store, lease)
    while time.monotonic() < deadline:
        time.sleep(patience / BEATS / 2)
        if _read_beat(store, lease) != first:
            return True
    return False


class _Beat(threading.Thread):
    """Shows that the holder lives, and notices when the lease is lost."""

    def __init__(
        self,
        store: Store,
        lease: Lease,
        period: float,
        stop: threading.Event,
        on_lost: Callable[[], None],
    ) -> None:
        super().__init__(daemon=True, name="lease")
        self._facts = (store, lease, period)
        self._ended, self._on_lost = stop, on_lost

    def run(self) -> None:
        store, lease, period = self._facts
        count = 0
        while not self._ended.wait(period):
            count += 1
            # A store that is away for a moment is no reason to stop: publishing will ask again.
            with contextlib.suppress(OSError):
                try:
                    lease.check(store)
                except (LeaseLostError, DamageError):
                    self._on_lost()
                    return
                _beat(store, lease, count)


def _beat_name(lease: Lease) -> str:
    return f"{FOLDER}/{lease.number:06d}.beat"


def _beat(store: Store, lease: Lease, count: int) -> None:
    with store.publish(_beat_name(lease)) as file:
        file.write(f"{lease.holder} {count}".encode())


def _read_beat(store: Store, lease: Lease) -> bytes | None:
    try:
        return store.read(_beat_name(lease))
    except FileNotFoundError:
        return None


def _boot() -> str:
    """Of this machine and, in containers, of this space of process numbers."""
    with contextlib.suppress(OSError):
        return f"{_read_text('/proc/sys/kernel/random/boot_id')} {os.readlink('/proc/self/ns/pid')}"
    return ""


def _born(pid: int) -> str:
    """Start time of a process in clock ticks since boot; "" when there is none, or a dead one."""
    fields = _read_text(f"/proc/{pid}/stat").rpartition(")")[2].split()
    return "" if len(fields) < 20 or fields[0] in "ZX" else fields[19]


def _read_text(path: Any) -> str:
    try:
        return Path(path).read_text(encoding="ascii", errors="replace").strip()
    except OSError:
        return ""
