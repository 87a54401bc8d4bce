"""Files that appear whole or not at all, and their hashes. The module needs no FITS library."""

from __future__ import annotations

import errno
import glob
import hashlib
import os
from collections.abc import Callable
from contextlib import contextmanager
from functools import wraps

from drizzleflow.errors import InputError

_WRITING = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EFBIG)


def kept(read: Callable) -> Callable:
    """Keep what a function of a path reads, as long as the file has the same size and time stamp.

    For a file that is asked for again and again in one process, by each member of a batch. What it returns is
    shared, and must not be changed. A missing file is the function's to tell.
    """
    known: dict[str, tuple] = {}

    @wraps(read)
    def again(path):
        path = os.fspath(path)
        try:
            status = os.stat(path)
        except OSError:
            return read(path)
        version = status.st_mtime_ns, status.st_size
        if path not in known or known[path][0] != version:
            known[path] = version, read(path)
        return known[path][1]

    return again


@contextmanager
def replacing(path):
    """Write a file whole or not at all: a context that gives a temporary name beside `path`.

    The temporary file is renamed to `path` when the block ends well, and deleted when it raises. Its data are
    flushed to the disk before the rename. Temporary files that a killed writer of the same path left are
    deleted first.

    Raises
    ------
    OSError
        The disk is full or read-only, or the like; the exception's ``filename`` is `path`.
    """
    path = os.fspath(path)
    folder, name = os.path.split(path)
    temporary = os.path.join(folder, f".{name}.tmp-{os.getpid()}")
    try:
        os.makedirs(folder or ".", exist_ok=True)
        for stale in glob.glob(os.path.join(glob.escape(folder), f".{glob.escape(name)}.tmp-*")):
            os.unlink(stale)
        yield temporary
        with open(temporary, "rb") as written:
            os.fsync(written.fileno())
        os.replace(temporary, path)
    except BaseException as error:
        if os.path.exists(temporary):
            os.unlink(temporary)
        # the error of a full disk names no file, that of opening a file names the temporary one
        if isinstance(error, OSError) and (error.filename == temporary or error.errno in _WRITING):
            raise OSError(error.errno, error.strerror, path) from error
        raise


def settle(paths) -> None:
    """Flush the folders of new files to the disk, so that the files' names outlast a power cut."""
    for folder in dict.fromkeys(os.path.dirname(path) or "." for path in paths):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        except OSError as error:
            if error.errno != errno.EINVAL:  # the file system cannot flush folders
                raise
        finally:
            os.close(handle)


def why_no_file(path) -> str:
    """Words for a path that is no regular file: "not a file" (a folder, a pipe) or "no such file"."""
    return "not a file" if os.path.exists(path) else "no such file"


def read_text(path) -> str:
    """A text file that a user wrote, in UTF-8 with or without a byte order mark; line ends stay as they are.

    Raises
    ------
    InputError
        It cannot be read, or is no such text.
    """
    try:
        with open(path, encoding="utf-8-sig", newline="") as file:
            text = file.read()
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror})") from None
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: not a text file in UTF-8 (byte {error.start})") from None
    if "\0" in text:
        raise InputError(f"{path}: a binary file, expected a table in text form")
    return text


def write_text(path, text: str) -> None:
    """Write a small text file, whole or not at all."""
    with replacing(path) as temporary, open(temporary, "w", encoding="utf-8", newline="\n") as out:
        out.write(text)


def fingerprint(path) -> dict:
    """``{"path", "sha256", "size"}`` of a file; the path as it was given, the size in bytes."""
    with open(path, "rb") as stream:
        digest = hashlib.file_digest(stream, "sha256").hexdigest()
        return {"path": os.fspath(path), "sha256": digest, "size": os.fstat(stream.fileno()).st_size}
