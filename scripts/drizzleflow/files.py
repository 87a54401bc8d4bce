"""Files that appear whole or not at all, and their hashes: for jobs that need no FITS."""

from __future__ import annotations

import glob
import hashlib
import os
from contextlib import contextmanager


@contextmanager
def replacing(path):
    """A temporary name beside `path` that becomes `path` when the block ends well, and vanishes when it does not.

    Leftovers of a killed writer of the same file are removed first; the data reach the disk before the rename.
    """
    path = os.fspath(path)
    folder, name = os.path.split(path)
    os.makedirs(folder or ".", exist_ok=True)
    for stale in glob.glob(os.path.join(glob.escape(folder), f".{glob.escape(name)}.tmp-*")):
        os.unlink(stale)
    temporary = os.path.join(folder, f".{name}.tmp-{os.getpid()}")
    try:
        yield temporary
        with open(temporary, "rb") as written:
            os.fsync(written.fileno())
        os.replace(temporary, path)
    except BaseException:
        if os.path.exists(temporary):
            os.unlink(temporary)
        raise


def write_text(path, text: str) -> None:
    """Write a small text file, whole or not at all."""
    with replacing(path) as temporary, open(temporary, "w", encoding="utf-8", newline="\n") as out:
        out.write(text)


def fingerprint(path) -> dict:
    """``{"path", "sha256", "size"}`` of a file; the path as it was given, the size in bytes."""
    with open(path, "rb") as stream:
        digest = hashlib.file_digest(stream, "sha256").hexdigest()
        return {"path": os.fspath(path), "sha256": digest, "size": os.fstat(stream.fileno()).st_size}
