"""A dataset's root in an object store: S3, GCS or Azure, through obstore."""

from __future__ import annotations

import contextlib
import itertools
import mmap
import os
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import IO, Any, BinaryIO, TypeVar

import obstore
from obstore.exceptions import AlreadyExistsError as NameTakenError
from obstore.exceptions import BaseError, GenericError, NotFoundError, PreconditionError
from obstore.store import from_url

from gends.pipeline.storage.credentials import CREDENTIALS, redacted, refused
from gends.pipeline.storage.faults import fault_point
from gends.pipeline.storage.paths import check_url
from gends.pipeline.storage.store import AlreadyExistsError, StorageError, Store, room_in

Answer = TypeVar("Answer")

TIMEOUT = 180.0
"""Seconds for which a store that does not answer is asked again."""
FIRST_PAUSE, LONGEST_PAUSE = 0.1, 10.0
"""Seconds between two attempts."""
PART = 8 << 20
"""Bytes per part of a multipart upload; 10,000 parts make 80 GB."""
PARTS_AT_ONCE = 4
REQUEST_SECONDS = 30.0
"""For one request: the parts on their way must fit through a slow line in that time."""
MOST_AT_ONCE = 5 << 30
"""Bytes that S3 takes without parts, and so under a condition."""


class ObjectStore(Store):
    """A bucket and a prefix. Credentials and endpoint come from the environment, read by obstore.

    A store that answers with errors, or not at all, is asked again, ever more slowly, until
    `timeout` seconds have passed.
    """

    _asked_by: int | None = None
    """The process that made the first request."""

    def __init__(self, url: str, timeout: float = TIMEOUT) -> None:
        """Point at a prefix, which need not exist yet.

        Raises:
            ValueError: a URL that does not name a bucket of a known kind, or that libraries would
                read as another one.
        """
        if not url.startswith(tuple(CREDENTIALS)):
            kinds = ", ".join(CREDENTIALS)
            raise ValueError(f"{redacted(url)}: a root is a folder or a URL of {kinds}")
        check_url(url)
        self.url = url.removesuffix("/")
        self.timeout = timeout
        try:
            self._bucket = self._reach(REQUEST_SECONDS)
        except BaseError as error:
            raise ValueError(f"{url}: {redacted(str(error))}") from _redacted(error)

    def _reach(self, seconds: float) -> Any:
        """The bucket and prefix, with requests that may last so long."""
        plain = os.environ.get("AWS_ENDPOINT_URL", os.environ.get("AWS_ENDPOINT", ""))
        options: Any = {
            "allow_http": plain.startswith("http://"),
            "timeout": timedelta(seconds=seconds),
        }
        retries: Any = {
            "max_retries": 10_000,  # the time decides
            "retry_timeout": timedelta(seconds=self.timeout),
            "backoff": {
                "init_backoff": timedelta(seconds=FIRST_PAUSE),
                "max_backoff": timedelta(seconds=LONGEST_PAUSE),
            },
        }
        return from_url(self.url, client_options=options, retry_config=retries)

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle as the URL; the other side has credentials of its own."""
        return ObjectStore, (self.url, self.timeout)

    def with_timeout(self, seconds: float) -> ObjectStore:
        """See `Store`."""
        return ObjectStore(self.url, seconds)

    def exists(self, name: str) -> bool:
        """See `Store`."""
        try:
            self.size(name)
        except FileNotFoundError:
            return False
        return True

    def names(self, folder: str) -> list[str]:
        """See `Store`."""
        found = self._ask(folder, lambda: obstore.list_with_delimiter(self._bucket, f"{folder}/"))
        paths = [meta["path"] for meta in found["objects"]] + list(found["common_prefixes"])
        return sorted(path.rstrip("/").rpartition("/")[2] for path in paths)

    def size(self, name: str) -> int:
        """See `Store`."""
        return int(self._ask(name, lambda: obstore.head(self._bucket, name))["size"])

    def read(self, name: str) -> bytes:
        """See `Store`."""
        return self._ask(name, lambda: bytes(obstore.get(self._bucket, name).bytes()))

    def read_range(self, name: str, offset: int, size: int) -> bytes:
        """See `Store`."""
        if size == 0:
            return b""

        def read() -> bytes:
            try:
                return bytes(obstore.get_range(self._bucket, name, start=offset, length=size))
            except GenericError as error:
                if "416 Range Not Satisfiable" in str(error).partition("\n")[0]:
                    return b""  # the object ends before the range begins
                raise

        return self._ask(name, read)

    @contextlib.contextmanager
    def publish(
        self, name: str, *, create_only: bool = False, check: Callable[[], None] | None = None
    ) -> Iterator[BinaryIO]:
        """See `Store`: written to a local temporary file, then put in one atomic operation."""
        folder = name.partition("/")[0]
        with _temporary_room(self.where(name)), tempfile.TemporaryFile(prefix="gends-") as file:
            before = None if create_only or check is None else self._version(name)
            fault_point(f"{folder}.begun")
            yield file
            fault_point(f"{folder}.written")
            file.flush()
            if check is not None:
                check()
            fault_point(f"{folder}.checked")
            if create_only or check is not None:
                self._put_if(before, name, file)
            else:
                self._put(name, file)
            fault_point(f"{folder}.named")

    def _put(self, name: str, file: BinaryIO) -> None:
        def put() -> None:
            file.seek(0)
            obstore.put(self._bucket, name, file, chunk_size=PART, max_concurrency=PARTS_AT_ONCE)

        self._ask(name, put)

    def _version(self, name: str) -> dict[str, str] | None:
        """What tells an object from another that takes its name; None where there is none."""
        try:
            found: Any = self._ask(name, lambda: obstore.head(self._bucket, name))
        except FileNotFoundError:
            return None
        return {key: found[key] for key in ("e_tag", "version") if found[key]}

    def _put_if(self, before: dict[str, str] | None, name: str, file: BinaryIO) -> None:
        """Put if what is there is what was `before`: in one part, where stores decide about it.

        A put whose answer was lost is repeated, and then finds the name taken by itself. So each
        one is signed.
        """
        size = file.seek(0, os.SEEK_END)
        if size > MOST_AT_ONCE:
            if self._version(name) != before:
                raise AlreadyExistsError(f"{self.where(name)}: another process put it")
            self._put(name, file)
            return
        # Mapped: memory need not hold all of it, and the time it may take grows with it.
        data = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) if size else b""
        slow = REQUEST_SECONDS * max(1.0, size / (PARTS_AT_ONCE * PART))
        bucket = self._bucket if slow == REQUEST_SECONDS else self._reach(slow)
        writer, mode = uuid.uuid4().hex, "create" if before is None else before
        signed: Any = {"mode": mode, "use_multipart": False, "attributes": {"writer": writer}}
        try:
            self._ask(name, lambda: obstore.put(bucket, name, data, **signed))
        except AlreadyExistsError:
            if self._writer(name) != writer:
                raise

    def _writer(self, name: str) -> str | None:
        options: Any = {"head": True}
        try:
            found = self._ask(name, lambda: obstore.get(self._bucket, name, options=options))
        except FileNotFoundError:
            return None
        attributes: dict[str, str] = {**found.attributes}
        return attributes.get("writer")

    @contextlib.contextmanager
    def local_copy(self, name: str) -> Iterator[Path]:
        """See `Store`: a temporary copy."""
        # Closing it writes what is left, and so may find the disk full, too.
        room = _temporary_room(self.where(name))
        with room, tempfile.NamedTemporaryFile(prefix="gends-") as file:
            self.copy_to(name, file)
            yield Path(file.name)

    def copy_to(self, name: str, file: IO[bytes]) -> None:
        """See `Store`."""

        def copy() -> None:
            file.seek(0)
            for chunk in obstore.get(self._bucket, name):
                file.write(chunk)
            file.flush()

        self._ask(name, copy)

    def version(self, name: str) -> str:
        """See `Store`: what the store says of the object, changed or not."""
        return _version(self._ask(name, lambda: obstore.head(self._bucket, name)))

    def versions(self, folder: str) -> dict[str, str]:
        """See `Store`: one listing, with what is in folders below."""

        def names() -> dict[str, str]:
            found = itertools.chain.from_iterable(obstore.list(self._bucket, f"{folder}/"))
            return {meta["path"].removeprefix(f"{folder}/"): _version(meta) for meta in found}

        return self._ask(folder, names)

    def remove(self, name: str, version: str | None = None) -> None:
        """See `Store`."""
        with contextlib.suppress(FileNotFoundError):
            if version is None or self.version(name) == version:
                self._ask(name, lambda: obstore.delete(self._bucket, name))

    def remove_all(self, folder: str, versions: dict[str, str]) -> None:
        """See `Store`: one listing, and one request for all that is as it was."""
        now = self.versions(folder)
        same = [f"{folder}/{name}" for name, known in versions.items() if now.get(name) == known]
        if same:
            self._ask(folder, lambda: obstore.delete(self._bucket, same))

    def sweep(self, folder: str) -> None:
        """Nothing to do: what was not put whole is not listed; buckets expire aborted uploads."""

    def _ask(self, name: str, request: Callable[[], Answer]) -> Answer:
        """Make a request until it is answered, or the time is up.

        obstore itself asks again after most faults, but neither repeats creations and deletions
        whose answer was lost nor listings that were cut short.
        """
        self._refuse_after_fork()
        start, pause = time.monotonic(), FIRST_PAUSE
        while True:
            try:
                return request()
            except (NotFoundError, FileNotFoundError) as error:
                raise FileNotFoundError(f"{self.where(name)}: not there") from _redacted(error)
            except NameTakenError as error:
                raise AlreadyExistsError(f"{self.where(name)} exists already") from _redacted(error)
            except PreconditionError as error:
                text = f"{self.where(name)}: another process put it"
                raise AlreadyExistsError(text) from _redacted(error)
            except BaseError as error:
                elapsed = time.monotonic() - start
                if not _interrupted(error) or elapsed + pause > self.timeout:
                    raise self._given_up(name, error, elapsed) from _redacted(error)
            time.sleep(pause)
            pause = min(2 * pause, LONGEST_PAUSE)

    def _refuse_after_fork(self) -> None:
        """obstore's threads do not survive a fork: a request would wait for them for ever."""
        ObjectStore._asked_by = ObjectStore._asked_by or os.getpid()
        if ObjectStore._asked_by != os.getpid():
            raise RuntimeError(
                f"{self.url}: this process was forked from one that had used object stores, and "
                'cannot; start it anew, for a DataLoader by multiprocessing_context="spawn"'
            )

    def _given_up(self, name: str, error: BaseError, elapsed: float) -> StorageError:
        what = redacted(str(error).strip().splitlines()[0])
        if refused(what):
            renew = CREDENTIALS[self.url.partition("://")[0] + "://"]
            return StorageError(
                f"{self.where(name)}: access denied, or credentials expired ({what}); renew {renew}"
            )
        return StorageError(f"{self.where(name)}: gave up after {elapsed:.0f} s ({what})")


def _version(meta: Any) -> str:
    # Listings tell fractions of a second that answers about one object leave out.
    return f"{meta['e_tag']} {meta['size']} {int(meta['last_modified'].timestamp())}"


def _redacted(error: Exception) -> Exception:
    """The same error without secrets: a traceback shows what an error was raised from."""
    return type(error)(redacted(str(error)))


def _interrupted(error: BaseError) -> bool:
    """Whether the connection broke, as against an answer that says no: only the text tells."""
    return isinstance(error, GenericError) and "HTTP error" in str(error).partition("\n")[0]


@contextlib.contextmanager
def _temporary_room(name: str) -> Iterator[None]:
    folder = tempfile.gettempdir()
    advice = f"{name} passes through it: make room, or name another folder in TMPDIR"
    with room_in(folder, advice):
        yield
