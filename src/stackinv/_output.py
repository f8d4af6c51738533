# SPDX-License-Identifier: BSD-3-Clause
"""A file for a result, which takes the place of what has its name once it is whole, and else leaves no trace."""

import contextlib
import errno
import hashlib
import os
import secrets
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

_RENAMES_OPEN_FILES = os.name != "nt"  # Windows neither renames nor removes a file that somebody has open
_FLAGS = os.O_RDWR | os.O_CREAT | os.O_EXCL | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)


@contextlib.contextmanager
def replaced_when_done(target: Path) -> Iterator[BinaryIO]:
    """A file beside `target` that becomes `target` if all goes well; a link stays, what it points to is replaced.

    Its name cannot be foretold, it is for nobody else to read until it has the mode of what it replaces, and what
    cannot be replaced in the end is an error now.
    """
    target = target.resolve()
    with _named(target):
        before = _replaceable(target)
        _remove_leftovers(target)
    part = target.with_name(_prefix(target) + secrets.token_hex(8) + ".part")
    ours = True
    try:
        try:
            with _named(target):
                descriptor = os.open(part, _FLAGS, 0o600)
        except OSError:
            ours = False  # of others, or not there; a signal just after it was made is another matter
            raise
        with os.fdopen(descriptor, "w+b") as file:
            if not _lock(descriptor) or os.fstat(descriptor).st_nlink == 0:  # another run took it for a leftover
                raise RuntimeError(f"{target}: another process is writing this file")
            yield file
            with _named(target):
                file.flush()
                _take_over(descriptor, target, before)
                os.fsync(descriptor)
                if _RENAMES_OPEN_FILES:
                    part.replace(target)  # while it is locked
        if not _RENAMES_OPEN_FILES:
            with _named(target):
                part.replace(target)
    except BaseException:
        with contextlib.suppress(OSError):
            if ours:
                part.unlink()
        raise


@contextlib.contextmanager
def _named(target: Path) -> Iterator[None]:
    """An error of the disk names the file that the user knows."""
    try:
        yield
    except OSError as error:
        error.filename, error.filename2 = str(target), None
        raise


def _replaceable(target: Path) -> os.stat_result | None:
    """What is to be replaced, None if there is nothing, or an OSError if it cannot or should not be."""
    try:
        found = target.lstat()
    except FileNotFoundError:
        return None
    if not found.st_mode & 0o222 or not os.access(target, os.W_OK):
        raise PermissionError(errno.EACCES, "is read-only")
    folder = target.parent.stat()
    owners = (0, folder.st_uid, found.st_uid)
    if folder.st_mode & stat.S_ISVTX and hasattr(os, "geteuid") and os.geteuid() not in owners:
        raise PermissionError(errno.EPERM, "belongs to somebody else, who alone may replace it in this folder")
    return found


def _prefix(target: Path) -> str:
    """What the temporary files for this target begin with, short enough for a name as long as names may be."""
    return f".stackinv-{hashlib.sha256(os.fsencode(target.name)).hexdigest()[:16]}-"


def _remove_leftovers(target: Path) -> None:
    """Remove what killed runs have left, or RuntimeError if a run is still writing this target."""
    try:
        paths = list(target.parent.iterdir())
    except PermissionError:  # one may write there, but not look
        return
    for path in paths:
        if path.name.startswith(_prefix(target)):
            with contextlib.suppress(OSError):
                _remove_leftover(path, target)


def _remove_leftover(path: Path, target: Path) -> None:
    if not stat.S_ISREG(path.lstat().st_mode):  # planted: opening it might never return
        return
    if not _RENAMES_OPEN_FILES:
        try:
            path.unlink()
        except PermissionError:
            raise RuntimeError(f"{target}: another process is writing this file") from None
        return
    descriptor = os.open(path, os.O_RDWR | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0))
    try:
        found = os.fstat(descriptor)
        mine = not hasattr(os, "geteuid") or found.st_uid == os.geteuid()
        if stat.S_ISREG(found.st_mode) and mine and found.st_nlink == 1:
            if not _lock(descriptor):
                raise RuntimeError(f"{target}: another process is writing this file")
            path.unlink()
    finally:
        os.close(descriptor)


def _lock(descriptor: int) -> bool:
    """Whether this process has the file to itself. The lock ends with the process, however that ends."""
    try:
        import fcntl

        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except (ImportError, OSError):  # a system or a file system without locks
        return True
    return True


def _take_over(descriptor: int, target: Path, before: os.stat_result | None) -> None:
    """Mode, owner and attributes of what is replaced; those of a new file if nothing is."""
    if not hasattr(os, "fchown"):  # Windows
        return
    if before is None:
        umask = os.umask(0o077)
        os.umask(umask)
        os.fchmod(descriptor, 0o666 & ~umask)
        return
    mode = stat.S_IMODE(before.st_mode) & 0o777
    for owner in (before.st_uid, -1):
        with contextlib.suppress(OSError):
            os.fchown(descriptor, owner, before.st_gid)
            break
    if os.fstat(descriptor).st_gid != before.st_gid:  # what was for one group is not for another
        mode &= ~0o070
    if hasattr(os, "listxattr"):  # access control lists are among them, which the mode limits in the end
        with contextlib.suppress(OSError):
            for name in os.listxattr(target):
                with contextlib.suppress(OSError):
                    os.setxattr(descriptor, name, os.getxattr(target, name))
    os.fchmod(descriptor, mode)
