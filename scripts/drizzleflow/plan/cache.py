"""Keep the plan's cache: what was read of files, by path, size and modification time."""

from __future__ import annotations

import hashlib
import json
import os
from functools import cached_property

from drizzleflow.io.files import write_text
from drizzleflow.plan import codehash


def package_folder() -> str:
    """The folder of the package `drizzleflow`."""
    return os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


def filling_module() -> str:
    """The file of the module whose code fills the cache: `drizzleflow.plan.files`."""
    return os.path.join(os.path.dirname(os.path.abspath(__file__)), "files.py")


def _content_hash(path) -> str:
    with open(path, "rb") as file:
        return hashlib.sha256(file.read()).hexdigest()


class Cache:
    """Headers, tables and code hashes by path, size and modification time, in one JSON file.

    A missing, broken or outdated file is an empty cache: it never decides what a run makes. Outdated is
    what other code has filled: what was read of files carries the code hash of `drizzleflow.plan.files`
    and all that it reaches (readers and formats, one that is added too), code hashes carry the content of
    `drizzleflow.plan.codehash`.
    """

    def __init__(self, path):
        self.path = path
        try:
            with open(path, encoding="utf-8") as file:
                text = file.read()
            stored = json.loads(text)
        except (OSError, ValueError, TypeError):
            text, stored = "", None
        known = isinstance(stored, dict) and stored.get("hashes") == _content_hash(codehash.__file__)
        self.code: dict = stored["code"] if known else {}  #: for `drizzleflow.plan.codehash.code_hash`
        same = known and stored.get("version") == self._version
        self.files: dict = stored["files"] if same else {}  #: "path about" -> [size, mtime_ns, value]
        self.formats: dict = stored["formats"] if same else {}  #: for `drizzleflow.plan.files.Formats`
        self.replaced: set[str] = set()  #: paths that had another size or time when the cache was written
        self.git: dict | None = stored["git"] if same else None  #: of `drizzleflow.jobs.checkout.describe`
        self._stored = text if same else ""

    @cached_property
    def _version(self) -> str:
        return codehash.code_hash(filling_module(), package_folder(), self.code)

    @property
    def saved(self) -> bool:
        """Whether the file holds what is known here."""
        return self._stored == self._text()

    def _text(self) -> str:
        stored = {"version": self._version, "hashes": _content_hash(codehash.__file__)}
        stored |= {"files": self.files, "formats": self.formats, "code": self.code, "git": self.git}
        return json.dumps(stored, sort_keys=True)

    def save(self) -> None:
        """Write what is new, whole or not at all; a folder that cannot be written is no reason to stop."""
        if self.path is None or self.saved:
            return
        text = self._text()
        try:
            write_text(self.path, text)
            self._stored = text
        except OSError:
            pass

    @staticmethod
    def _key(path, about) -> str:
        return f"{os.path.abspath(path)} {about}"

    def knows(self, path, about) -> bool:
        return self._key(path, about) in self.files

    def listing(self, source, make, main_process: bool) -> list[str]:
        """Return ``make(source)``, the files of a folder; in a job's process those that the run began with."""
        key = self._key(source, "listing")
        if main_process or key not in self.files:
            self.files[key] = [0, 0, make(source)]
        return self.files[key][2]

    def lookup(self, path, about, make, trust=False):
        """Return ``make(path)``, or what the cache has of it; `about` says what was asked.

        Failures are not kept.

        Returns (value, size in bytes). With `trust` a stored value is good without a look at the file.
        """
        key = self._key(path, about)
        entry = self.files.get(key)
        if entry and trust:
            return entry[2], entry[0]
        status = os.stat(path)
        if not entry or entry[:2] != [status.st_size, status.st_mtime_ns]:
            if entry:
                self.replaced.add(os.fspath(path))
            entry = self.files[key] = [status.st_size, status.st_mtime_ns, make(path)]
        return entry[2], entry[0]
