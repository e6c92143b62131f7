"""The tar of a shard: reproducible bytes, known offsets, a running checksum."""

from __future__ import annotations

import tarfile
from pathlib import Path
from typing import BinaryIO

from blake3 import blake3

from gends.pipeline.format.manifest import PARTS, SCHEMA, Row, member_json, member_suffix


def checksum_of(file: Path) -> str:
    """BLAKE3 of a file: of a tar, as its `ShardWriter` had it and its manifest records it."""
    return blake3(max_threads=blake3.AUTO).update_mmap(file).hexdigest()


class ShardWriter:
    """Writes the tar of a shard, one row after another."""

    def __init__(self, file: BinaryIO, image_format: str) -> None:
        """Write to `file`, naming images after `image_format`."""
        self._file = file
        self._format = image_format
        self._hash = blake3()
        self.num_bytes = 0

    def add(self, row: Row) -> Row:
        """Write an accepted row's members; returns the row with its byte ranges, less the bytes."""
        known = {name: row[name] for name in SCHEMA.names}
        if row["status"] != "accepted":
            return known
        members = {part: row[f"{part}_bytes"] for part in PARTS if row[f"{part}_bytes"] is not None}
        facts = member_json(known)
        for part in sorted((*members, "json")):
            if part == "json":
                self._add_member(f"{row['key']}.json", facts)
                continue
            name = row["key"] + member_suffix(part, self._format)
            offset = self._add_member(name, members[part])
            known |= {f"{part}_offset": offset, f"{part}_size": len(members[part])}
        return known

    def close(self) -> None:
        """Write the end of the archive."""
        self._write(tarfile.NUL * (2 * tarfile.BLOCKSIZE))
        self._write(tarfile.NUL * (-self.num_bytes % tarfile.RECORDSIZE))

    @property
    def blake3(self) -> str:
        """Checksum of all bytes written."""
        return self._hash.hexdigest()

    def _add_member(self, name: str, data: bytes) -> int:
        info = tarfile.TarInfo(name)  # mtime, uid and gid are 0, mode 0644, no owner's name
        info.size = len(data)
        self._write(info.tobuf(tarfile.PAX_FORMAT, "utf-8", "strict"))
        offset = self.num_bytes
        self._write(data)
        self._write(tarfile.NUL * (-len(data) % tarfile.BLOCKSIZE))
        return offset

    def _write(self, data: bytes) -> None:
        self._file.write(data)
        self._hash.update(data)
        self.num_bytes += len(data)
