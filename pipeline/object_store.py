"""A dataset's root in an object store: S3, GCS or Azure, through obstore."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any, BinaryIO

import obstore
from obstore.exceptions import AlreadyExistsError as NameTakenError
from obstore.exceptions import BaseError, NotFoundError
from obstore.store import from_url

from gends.pipeline.faults import fault_point
from gends.pipeline.store import AlreadyExistsError, Store

PART = 16 << 20
"""Bytes per part of a multipart upload; 10,000 parts make 160 GB."""
SCHEMES = ("s3://", "gs://", "az://", "abfs://", "abfss://")


class ObjectStore(Store):
    """A bucket and a prefix. Credentials and endpoint come from the environment, read by obstore.

    A store that answers with errors is asked again, ever more slowly, for three minutes.
    """

    def __init__(self, url: str) -> None:
        """Point at a prefix, which need not exist yet.

        Raises:
            ValueError: a URL that does not name a bucket of a known kind.
        """
        if not url.startswith(SCHEMES):
            raise ValueError(f"{url}: a root is a folder or a URL of {', '.join(SCHEMES)}")
        self.url = url.rstrip("/")
        plain = os.environ.get("AWS_ENDPOINT_URL", os.environ.get("AWS_ENDPOINT", ""))
        options: Any = {"allow_http": True} if plain.startswith("http://") else {}
        retries: Any = {
            "max_retries": 12,
            "retry_timeout": timedelta(minutes=3),
            "backoff": {"init_backoff": timedelta(milliseconds=200)},
        }
        try:
            self._bucket = from_url(self.url, client_options=options, retry_config=retries)
        except BaseError as error:
            raise ValueError(f"{url}: {error}") from error

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle as the URL; the other side has credentials of its own."""
        return ObjectStore, (self.url,)

    def exists(self, name: str) -> bool:
        """See `Store`."""
        try:
            self.size(name)
        except FileNotFoundError:
            return False
        return True

    def names(self, folder: str) -> list[str]:
        """See `Store`."""
        with self._errors(folder):
            found = obstore.list_with_delimiter(self._bucket, f"{folder}/")
        paths = [meta["path"] for meta in found["objects"]] + list(found["common_prefixes"])
        return sorted(path.rstrip("/").rpartition("/")[2] for path in paths)

    def size(self, name: str) -> int:
        """See `Store`."""
        with self._errors(name):
            return int(obstore.head(self._bucket, name)["size"])

    def read(self, name: str) -> bytes:
        """See `Store`."""
        with self._errors(name):
            return bytes(obstore.get(self._bucket, name).bytes())

    def read_range(self, name: str, offset: int, size: int) -> bytes:
        """See `Store`."""
        if size == 0:
            return b""
        with self._errors(name):
            return bytes(obstore.get_range(self._bucket, name, start=offset, length=size))

    @contextlib.contextmanager
    def publish(self, name: str, *, create_only: bool = False) -> Iterator[BinaryIO]:
        """See `Store`: written to a local temporary file, then put in one atomic operation.

        A put that is created only goes in one part: stores decide about existence there.
        """
        folder = name.partition("/")[0]
        with tempfile.TemporaryFile(prefix="gends-") as file:
            fault_point(f"{folder}.begun")
            yield file
            fault_point(f"{folder}.written")
            file.seek(0)
            mode: Any = "create" if create_only else "overwrite"
            multipart = False if create_only else None
            with self._errors(name):
                obstore.put(
                    *(self._bucket, name, file),
                    mode=mode,
                    use_multipart=multipart,
                    chunk_size=PART,
                )
            fault_point(f"{folder}.named")

    @contextlib.contextmanager
    def local_copy(self, name: str) -> Iterator[Path]:
        """See `Store`: a temporary copy."""
        with tempfile.NamedTemporaryFile(prefix="gends-") as file:
            with self._errors(name):
                for chunk in obstore.get(self._bucket, name):
                    file.write(chunk)
            file.flush()
            yield Path(file.name)

    def remove(self, name: str) -> None:
        """See `Store`."""
        with contextlib.suppress(FileNotFoundError), self._errors(name):
            obstore.delete(self._bucket, name)

    def remove_folder(self, folder: str) -> None:
        """See `Store`."""
        with self._errors(folder):
            for metas in obstore.list(self._bucket, f"{folder}/"):
                obstore.delete(self._bucket, [meta["path"] for meta in metas])

    def sweep(self, folder: str) -> None:
        """Nothing to do: what was not put whole is not listed; buckets expire aborted uploads."""

    @contextlib.contextmanager
    def _errors(self, name: str) -> Iterator[None]:
        """Turn obstore's errors into those that `Store` promises."""
        try:
            yield
        except (NotFoundError, FileNotFoundError) as error:
            raise FileNotFoundError(f"{self.where(name)}: not there") from error
        except NameTakenError as error:
            raise AlreadyExistsError(f"{self.where(name)} exists already") from error
        except BaseError as error:
            raise OSError(f"{self.where(name)}: {str(error).strip().splitlines()[0]}") from error
