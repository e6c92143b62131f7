"""Renames a file to a name that nothing has, on filesystems of all kinds."""

from __future__ import annotations

import ctypes
import errno
import fcntl
import os
from pathlib import Path

HERE, NO_REPLACE = -100, 1
"""AT_FDCWD and RENAME_NOREPLACE of Linux."""
MISSING = {errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS, errno.EINVAL, errno.EMLINK}
"""What filesystems answer that cannot do what they are asked."""


def rename_to_free(source: Path, target: Path) -> None:
    """Rename `source`, or a link itself, to `target`; of several that do so at once one succeeds.

    On most filesystems one operation decides, on whatever machine it is called. Where there are
    neither hard links nor renames that refuse to replace (exFAT through FUSE), a lock on the folder
    decides: it keeps processes of one machine apart.

    Raises:
        FileExistsError: `target` is there.
    """
    try:
        # Unlike rename(), link() refuses a name that is taken.
        os.link(source, target, follow_symlinks=False)
        source.unlink(missing_ok=True)  # others may have swept it away
        return
    except OSError as error:
        if error.errno not in MISSING:
            raise
    if not _renamed_without_replacing(source, target):
        _rename_locked(source, target)


def _renamed_without_replacing(source: Path, target: Path) -> bool:
    """Whether the system knows how to."""
    try:
        call = ctypes.CDLL(None, use_errno=True).renameat2
    except AttributeError:  # an old or another C library
        return False
    paths = (os.fsencode(source), os.fsencode(target))
    if call(HERE, paths[0], HERE, paths[1], NO_REPLACE) == 0:
        return True
    number = ctypes.get_errno()
    if number not in MISSING:
        raise OSError(number, os.strerror(number), str(source), None, str(target))
    return False


def _rename_locked(source: Path, target: Path) -> None:
    folder = os.open(target.parent, os.O_RDONLY)
    try:
        fcntl.flock(folder, fcntl.LOCK_EX)
        if os.path.lexists(target):
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(target))
        os.rename(source, target)
    finally:
        os.close(folder)
