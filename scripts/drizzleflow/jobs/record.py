"""The frame around every rule's script: its log, its errors, and its record.

    def main(job):
        job.log("%d members", n)
        job.statistics["members"] = n

    if __name__ == "__main__":
        with record.job(snakemake) as job:
            main(job)

The record is a JSON file that a job writes as its last output (``output.record``), and that report,
provenance and audit read. It holds the job's inputs and outputs (SHA-256, size), its parameters, the hash of
its code, times, host and versions, statistics and small pictures. Its last field, ``seal``, is the SHA-256 of
the text before it, so that damage to a record shows.
"""

from __future__ import annotations

import datetime
import faulthandler
import hashlib
import json
import logging
import os
import sys
import time
import traceback
import warnings
from collections.abc import Iterator
from contextlib import suppress
from typing import Self

import drizzleflow
from drizzleflow.errors import InputError, harmless
from drizzleflow.io.files import fingerprint, settle, write_text
from drizzleflow.jobs import checkout, guard, malloc, refusal, shared
from drizzleflow.jobs.values import listed, named, plain
from drizzleflow.plan.keys import nested

FORMAT = 2  #: version of the record's layout
#: packages whose versions are recorded, if a job has imported them
PACKAGES = (
    "snakemake",
    "numpy",
    "scipy",
    "astropy",
    "drizzle",
    "gwcs",
    "asdf",
    "spherical_geometry",
    "shapely",
    "pandas",
    "lz4",
    "PIL",
    "jinja2",
)
MAX_WARNINGS = 100  #: most warnings in a record; the log has all
_SEAL = ',\n "seal": "'

logger = logging.getLogger("drizzleflow")


def job(snakemake) -> Job:
    """The context in which a rule's script runs.

    `snakemake` is the object that Snakemake gives to scripts, or one like it (`drizzleflow.jobs.by_hand`).
    """
    return Job(snakemake)


def jobs(snakemake) -> Iterator[Job]:
    """The contexts of a script whose members or groups may share a job, one after the other.

    for job in record.jobs(snakemake):
        with job:
            main(job)
    """
    for number, item in enumerate(shared.items(snakemake)):
        yield Job(item, continued=number > 0)


class Job:
    """One job, used as a context (see `job`).

    On `InputError`, and on an `OSError` that names a file, the context writes one line ``rule: message`` to
    the log and to stderr, and exits with status 1. On any other exception the traceback goes to the log and
    one line to stderr. The record is only written when the script ends well, all outputs are on the disk, and
    the raw inputs are still those of the plan. A job that has ended with an `InputError` in this run ends so
    again at once (`drizzleflow.jobs.refusal`).

    Attributes
    ----------
    statistics : dict
        Numbers for the report, filled by the script (plain values, numpy scalars and small arrays).
    rule : str
        Name of the rule.
    input, output : object
        The job's files, as attributes with the names that the rule gives them (a list where it names several
        files).
    options : dict
        The settings and facts that the rule passes (`drizzleflow.plan.keys.nested`).
    code : str or None
        The hash of the rule's code.
    wildcards : object
        Their values, as attributes.
    """

    def __init__(self, snakemake, continued=False):
        self._snakemake, self._continued = snakemake, continued
        self.rule = str(snakemake.rule)
        self.input, self.output = getattr(snakemake, "input", None), snakemake.output
        params = getattr(snakemake, "params", None)
        self.options: dict = nested(named(params).items())
        hashed = named(params).get("code")
        self.code: str | None = hashed["code"] if isinstance(hashed, dict) else hashed
        self.wildcards = getattr(snakemake, "wildcards", None)
        self.statistics: dict = {}
        self._thumbnails: dict[str, str] = {}
        self._hashes: dict[str, dict] = {}
        self._contributions: list[dict] = []
        self._warnings: list[str] = []

    def log(self, message: str, *args) -> None:
        """Write a line to the job's log (with the %-formatting of `logging`)."""
        logger.info(message, *args)

    def warn(self, message: str, *args) -> None:
        """Write a line to the log, to stderr and to the record, whose warnings the report lists."""
        logger.warning(message, *args)

    def input_hash(self, path) -> dict:
        """Hash an input that no job has made: ``{"path", "sha256", "size"}``. The record has it too."""
        self._hashes[os.fspath(path)] = entry = fingerprint(path)
        return entry

    def contribution(self, product, source, **how) -> None:
        """Record that the file `source` went into the output `product`, for `drizzleflow.provenance`.

        `how` may have ``member`` and ``extver`` (the frame), ``window`` (x0, x1, y0, y1, half open: the part
        of the grid that the frame can reach), and ``mask`` (the file that says which of its pixels did not
        count).
        """
        how = {
            key: os.fspath(value) if key == "mask" else plain(value)
            for key, value in how.items()
            if value is not None
        }
        self._contributions.append({"product": os.fspath(product), "source": os.fspath(source), **how})

    def thumbnail(self, name: str, array, mask=None, size: int = 256, limits=None) -> tuple[float, float]:
        """Record a small PNG of an image (ny, nx), and return the limits of its stretch.

        Where two pictures are to be compared ("before" and "after"), give the limits of the first to the
        second. The parameters are those of `drizzleflow.jobs.thumbnail.png`.
        """
        from drizzleflow.jobs import thumbnail

        self._thumbnails[name], limits = thumbnail.png(array, mask, size, limits)
        return limits

    def __enter__(self) -> Self:
        guard.follow()
        malloc.keep_freed()
        self._started, self._clock = _now(), time.perf_counter()
        self._log = path = next(iter(listed(getattr(self._snakemake, "log", None))), None)
        try:
            if path and os.path.dirname(path):
                os.makedirs(os.path.dirname(path), exist_ok=True)
            mode = "a" if self._continued else "w"
            self._stream = open(path or os.devnull, mode, encoding="utf-8", buffering=1)
        except OSError as error:
            raise SystemExit(f"{self.rule}: {_one_line(error)}") from None
        if path and (message := refusal.told(path)):
            with self._stream, suppress(OSError):
                self._stream.write(f"{message}\n")
            raise SystemExit(message)
        self._fault = not faulthandler.is_enabled()
        if self._fault:  # a crash in C code leaves its trace in the log
            faulthandler.enable(self._stream)
        form = _Harmless("%(asctime)s %(levelname)s %(message)s", "%Y-%m-%dT%H:%M:%S")
        to_log, to_stderr = logging.StreamHandler(self._stream), logging.StreamHandler(sys.stderr)
        to_log.setFormatter(form)
        to_log.handleError = lambda entry: None  # a full disk is reported when an output needs it
        to_stderr.setFormatter(_Harmless(f"{self.rule}: %(levelname)s: %(message)s"))
        to_stderr.setLevel(logging.WARNING)
        self._handlers = [to_log, to_stderr, _Keep(self._warnings)]
        self._before = (logger.level, logger.propagate, warnings.showwarning)
        logger.setLevel(logging.INFO)
        logger.propagate = False
        for handler in self._handlers:
            logger.addHandler(handler)
        warnings.showwarning = _warning_to_log
        return self

    def __exit__(self, kind, error, trace) -> None:
        try:
            if error is None:
                try:
                    self._check_inputs()
                    self._write_record()
                except Exception as failed:  # reported as any other error of the job
                    error = failed
            if isinstance(error, Exception):
                self._say(error)
                raise SystemExit(1) from None
        finally:
            self._close()

    def _say(self, error: Exception) -> None:
        text = _one_line(error)
        if not text.startswith(f"{self.rule}: "):
            text = f"{self.rule}: {text}"
        print(text, file=sys.stderr, flush=True)
        if self._log and isinstance(error, InputError):
            refusal.tell(self._log, text)
        with suppress(OSError):  # the disk may be full
            if isinstance(error, InputError) or getattr(error, "filename", None):
                self._stream.write(f"{text}\n")
            else:
                traceback.print_exception(error, file=self._stream)

    def _close(self) -> None:
        for handler in self._handlers:
            logger.removeHandler(handler)
        level, logger.propagate, warnings.showwarning = self._before
        logger.setLevel(level)
        if self._fault:
            faulthandler.disable()
        with suppress(OSError):
            self._stream.close()

    def _inputs(self) -> list[str]:
        given = map(os.fspath, listed(getattr(self._snakemake, "input", None)))
        return list(dict.fromkeys([*given, *self._hashes]))

    def _check_inputs(self) -> None:
        for path in guard.replaced(self._inputs()):
            raise InputError(
                f"{path}: replaced while the run was going on "
                "(another size or time stamp than at its start); start it again"
            )

    def account(self) -> dict:
        """The part of the record that is known before the job ends."""
        given = self._snakemake
        inputs = self._inputs()
        return {
            "format": FORMAT,
            "rule": self.rule,
            "wildcards": plain(named(getattr(given, "wildcards", None))),
            "params": plain(self.options),
            "code": self.code,
            "git": checkout.announced()["git"],
            "versions": versions(),
            "host": os.uname().nodename,
            "started": self._started,
            "log": next(iter(map(os.fspath, listed(getattr(given, "log", None)))), None),
            "inputs": [self._hashes.get(path, {"path": path}) for path in inputs],
        }

    def _write_record(self) -> None:
        given = self._snakemake
        target = getattr(given.output, "record", None)
        paths = [os.fspath(path) for path in listed(given.output)]
        content = {
            **self.account(),
            "outputs": [fingerprint(path) for path in paths if path != target],
            "contributions": self._contributions,
            "statistics": plain(self.statistics),
            "warnings": self._warnings[:MAX_WARNINGS],
            "warnings_count": len(self._warnings),
            "ended": _now(),
            "seconds": round(time.perf_counter() - self._clock, 3),
            "peak_mb": _peak_mb(),
            "mem_mb": getattr(getattr(given, "resources", None), "mem_mb", None),
            "threads": getattr(given, "threads", None),
            "thumbnails": self._thumbnails,
        }
        if target:  # a rule without products (audit) needs none
            # a record says that all files it names are there
            settle(path for path in paths if path != target)
            write_text(target, sealed(content))
            settle([target])


def read(path) -> dict:
    """Read a record as a dictionary.

    Raises
    ------
    InputError
        The file is missing or is not a record.
    """
    try:
        with open(path, encoding="utf-8") as stream:
            content = json.load(stream)
    except FileNotFoundError:
        raise InputError(f"{path}: no such record") from None
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: not a readable record ({error})") from None
    if not isinstance(content, dict) or "rule" not in content:
        raise InputError(f"{path}: not a record: expected a JSON object with 'rule'")
    return content


def sealed(content: dict) -> str:
    """The text of a record: JSON whose last field is the hash of the text before it."""
    body = json.dumps(content, indent=1, allow_nan=False)[:-2]
    return body + _SEAL + hashlib.sha256(body.encode()).hexdigest() + '"\n}\n'


def intact(text: bytes) -> bool:
    """Whether a record is byte for byte as it was written, by its seal."""
    body = text.rpartition(_SEAL.encode())[0]
    return text == body + (_SEAL + hashlib.sha256(body).hexdigest() + '"\n}\n').encode()


def versions() -> dict:
    """The versions of Python, of this library, and of the `PACKAGES` that this process has imported."""
    numbers = {"python": ".".join(map(str, sys.version_info[:3])), "drizzleflow": drizzleflow.__version__}
    for name in PACKAGES:
        version = getattr(sys.modules.get(name), "__version__", None)
        if version:
            numbers[name] = str(version)
    return numbers


class _Harmless(logging.Formatter):
    """A formatter that makes each entry, which may quote a file, one line without control characters."""

    def format(self, entry):
        return harmless(super().format(entry))


class _Keep(logging.Handler):
    """A handler that keeps the texts of warnings."""

    def __init__(self, kept: list[str]):
        super().__init__(logging.WARNING)
        self.kept = kept

    def emit(self, entry):
        self.kept.append(entry.getMessage())


def _warning_to_log(message, category, filename, lineno, file=None, line=None):
    text = " ".join(str(message).split())
    logger.warning("%s: %s (%s:%d)", category.__name__, text, os.path.basename(filename), lineno)


def _one_line(error: Exception) -> str:
    text = harmless(str(error)) or type(error).__name__
    if isinstance(error, InputError):
        return text
    if isinstance(error, OSError) and error.filename and error.strerror:
        return harmless(f"{error.filename}: {error.strerror}")
    return f"{type(error).__name__}: {text}"


def _now() -> str:
    return datetime.datetime.now(datetime.UTC).isoformat(timespec="milliseconds")


def _peak_mb() -> float | None:
    """The largest resident memory of this process in MiB (getrusage would count the parent's too)."""
    try:
        with open("/proc/self/status", encoding="ascii", errors="replace") as status:
            for line in status:
                if line.startswith("VmHWM:"):
                    return round(int(line.split()[1]) / 1024, 1)
    except OSError:
        pass
    return None
