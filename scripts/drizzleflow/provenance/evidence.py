"""Compare the files of an output folder with what the records of the jobs say of them."""

from __future__ import annotations

import fnmatch
import hashlib
import importlib.metadata
import json
import os
import platform
import stat
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

from drizzleflow.errors import InputError
from drizzleflow.io.fits_layout import units
from drizzleflow.io.fits_verify import PIECE, Sums
from drizzleflow.jobs import record, refusal
from drizzleflow.plan import layout, roads

#: names beside the products' folders, and inside each of them, that are not products
BESIDE, WITHIN = (".lock", ".plan.json", "audit.log"), (layout.LOG, layout.BENCHMARK)
NOTES = ("unplanned", "versions")  #: kinds of finding that are not faults


@dataclass(frozen=True, order=True)
class Finding:
    """One file that is not as its record says, or (`NOTES`) something that a reviewer should know."""

    path: str  #: the path below the output folder, or as the record names it
    kind: str  #: missing, altered, stale, unknown; unplanned, versions
    detail: str  #: what was found and what was expected

    def __str__(self) -> str:
        line = f"{self.kind}: {self.path}: {self.detail}"
        return line if line.isprintable() else repr(line)[1:-1]  # a file name may hold any character

    @property
    def harmless(self) -> bool:
        return self.kind in NOTES


@dataclass(frozen=True)
class Claim:
    """What a job recorded about a file."""

    path: str
    sha256: str
    size: int  #: bytes
    by: str  #: key of the record, or of the provenance file
    ended: str  #: when that job ended, ISO 8601


class Evidence:
    """What the records below an output folder say of its files and of the raw inputs.

    Raises
    ------
    InputError
        The folder does not exist, or no record lies in it.
    """

    def __init__(self, outdir, temporary: Iterable[str]):
        self.outdir, self.temporary = os.fspath(outdir), tuple(temporary)
        if not os.path.isdir(self.outdir):
            raise InputError(f"{self.outdir}: no such output folder")
        self.found = {key_of(path): path for path in sorted(_walk(self.outdir))}
        self.claims: dict[str, Claim] = {}  #: outputs and raw inputs; the last job's claim counts
        self.vouched: dict[str, Claim] = {}  #: records whose hash a provenance file holds
        #: of readable records: code, versions, and the paths of inputs and outputs
        self.jobs: dict[str, dict] = {}
        self._broken: dict[str, str] = {}
        self._logs: set[str] = set()
        records = [path for path in self.found.values() if self._is_record(path)]
        if not records:
            raise InputError(f"{self.outdir}: no records in it: nothing to compare with")
        raw: dict[str, Claim] = {}
        for path in records:
            try:
                self._read(path, raw)
            except (InputError, KeyError, TypeError, ValueError, AttributeError) as error:
                self._broken[key_of(path)] = f"not a readable record ({error})"
        for key in list(self.claims):
            if os.path.basename(key) == roads.path("provenance", "provenance"):
                self._read_provenance(key, raw)
        self._made = set(self.claims)
        self.claims = raw | self.claims

    def _read(self, path: str, raw: dict) -> None:
        key, content = key_of(path), record.read(path)
        ended = str(content["ended"])
        outputs = [_claim(entry, key, ended) for entry in content["outputs"]]
        inputs = [_claim(entry, key, ended) for entry in content["inputs"] if entry.get("sha256")]
        self.jobs[key] = {name: content.get(name) for name in ("code", "versions")} | {
            name: [entry["path"] for entry in content[name]] for name in ("inputs", "outputs")
        }
        if content.get("log"):
            self._logs.add(key_of(content["log"]))
        for claims, entries in ((self.claims, outputs), (raw, inputs)):
            for claim in entries:
                known = claims.get(key_of(claim.path))
                if known is None or claim.ended >= known.ended:
                    claims[key_of(claim.path)] = claim

    def _read_provenance(self, key: str, raw: dict) -> None:
        """Read the hashes that a provenance file has of records, and of raw inputs that no record has."""
        try:
            with open(key, encoding="utf-8") as stream:
                # of a large run's file nine tenths are relations, which nothing here reads
                document = json.load(
                    stream, object_hook=lambda found: None if "prov:activity" in found else found
                )
            settings = {
                relation["prov:influencer"] for relation in document.get("wasInfluencedBy", {}).values()
            }
            for name, entry in document["entity"].items():
                if name in settings:  # a changed configuration is reported by the dry run
                    continue
                if "df:sha256" in entry:
                    entry = {"path": entry["df:path"], "sha256": entry["df:sha256"], "size": entry["df:size"]}
                    claim = _claim(entry, key, self.claims[key].ended)
                    inside = os.path.relpath(key_of(claim.path), os.path.dirname(key))
                    if inside.startswith(layout.RECORD + os.sep):
                        self.vouched[key_of(claim.path)] = claim
                    else:
                        raw.setdefault(key_of(claim.path), claim)
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            self._broken[key] = f"not readable as provenance ({error})"

    def by_size(self) -> list[str]:
        """Return the absolute paths of all files that something is recorded about, the largest first."""
        keys = {*self.jobs, *self._broken, *self.vouched, *self.claims}
        return sorted(keys, key=lambda key: (-self.claims[key].size if key in self.claims else 0, key))

    def knows(self, path) -> bool:
        """Tell whether a file is recorded, or lies where logs and other files that are not products lie."""
        parts = os.path.relpath(path, self.outdir).split(os.sep)
        if len(parts) == 1:
            beside = parts[0] in BESIDE
        else:  # a killed run leaves what its jobs refused
            beside = parts[0] == refusal.FOLDER or (len(parts) > 2 and parts[1] in WITHIN)
        known = (self.claims, self.jobs, self._broken, self.vouched, self._logs)
        return beside or any(key_of(path) in group for group in known)

    def check(self, path) -> Finding | None:
        """Read a recorded file again and return what is wrong with it; None if nothing is."""
        key = key_of(path)
        shown = self.found.get(key) or (self.claims.get(key) or self.vouched.get(key)).path
        try:
            if not os.path.lexists(key):
                inside = os.path.relpath(key, key_of(self.outdir))
                if any(fnmatch.fnmatchcase(inside, pattern) for pattern in self.temporary):
                    return None
                return Finding(shown, "missing", "recorded, but not there")
            if key not in self.claims:
                return self._check_record(key, shown)
            claim = self.claims[key]
            problem = _compare(
                key, claim, fits=key in self._made and key.endswith(".fits")
            ) or self._broken.get(key)
        except OSError as error:
            problem = f"cannot be read ({error.strerror})"
        return Finding(shown, "altered", problem) if problem else None

    def _check_record(self, key: str, shown: str) -> Finding | None:
        if key in self._broken:
            return Finding(shown, "altered", self._broken[key])
        with open(key, "rb") as stream:
            text = stream.read()
        if not record.intact(text):
            return Finding(shown, "altered", "not as its job wrote it (its seal is another)")
        claim = self.vouched.get(key)
        if claim is None or hashlib.sha256(text).hexdigest() == claim.sha256:
            return None
        book = self.found.get(claim.by, claim.by)
        if str(json.loads(text).get("ended")) > claim.ended:  # the record is newer than the provenance file
            return Finding(book, "stale", f"older than {shown}")
        return Finding(shown, "altered", f"not the record that {book} describes")

    def stranger(self, path: str) -> Finding:
        leftover = ".tmp-" in os.path.basename(path)
        return Finding(path, "unknown", "left by an interrupted job" if leftover else "no record names it")

    def stale(self, plan: dict[str, tuple], code: set[str]) -> list[Finding]:
        """Return the files that a run would make again, with the reason, or make for the first time."""
        findings = []
        for key, (path, reason) in plan.items():
            if reason is None:
                continue
            claim = self.claims.get(key)
            job = self.jobs.get(claim.by if claim else key)
            if job is None and not os.path.lexists(key):
                findings.append(Finding(path, "missing", "planned, but not there"))
            elif os.path.lexists(key):
                if reason == "params changed" and job:
                    made = job.get("code") in code
                    reason = "made with other parameters" if made else "made with other code"
                findings.append(Finding(path, "stale", reason or self._cause(job or {}, plan)))
        return findings

    def _cause(self, job: dict, plan) -> str:
        if not job:
            return "its record is missing or broken"
        for path in job["outputs"]:
            if not os.path.lexists(path):
                return f"its job also makes {path}, which is not there"
        for path in job["inputs"]:
            key = key_of(path)
            if plan.get(key, ("", None))[1] is not None or not os.path.lexists(key):
                return f"made from {path}, which a run would make again"
        return "its job did not end well"

    def unplanned(self, plan, faults) -> list[Finding]:
        """Return the products that an intact record names and the configuration does not."""
        count: Counter = Counter()
        for key in self.claims:
            if key in self.found and key not in plan and key not in faults:
                count[os.path.relpath(key, key_of(self.outdir)).split(os.sep)[0]] += 1
        text = "of another configuration, as their records say"
        return [
            Finding(
                os.path.join(self.outdir, product),
                "unplanned",
                f"{number} {'file' if number == 1 else 'files'} {text}",
            )
            for product, number in count.items()
        ]

    def versions(self) -> list[Finding]:
        """Return the packages whose installed version differs from that of some job."""
        recorded = defaultdict(Counter)
        for job in self.jobs.values():
            for name, version in dict(job.get("versions") or {}).items():
                recorded[name][version] += 1
        notes = []
        for name, counts in recorded.items():
            installed = _installed(name)
            others = {version: number for version, number in counts.items() if version != installed}
            if others:
                listed = ", ".join(
                    f"{version} in {number} records" for version, number in sorted(others.items())
                )
                notes.append(Finding(self.outdir, "versions", f"{name} {listed}, {installed or 'none'} here"))
        return notes

    def _is_record(self, path: str) -> bool:
        """Tell whether the path is a complete ``{product}/record/….json`` below the output folder."""
        parts = os.path.relpath(path, self.outdir).split(os.sep)
        return (
            len(parts) > 2
            and parts[1] == layout.RECORD
            and parts[-1].endswith(".json")
            and not parts[-1].startswith(".")
        )


def key_of(path) -> str:
    return os.path.abspath(path)


def _claim(entry, by: str, ended: str) -> Claim:
    return Claim(str(entry["path"]), str(entry["sha256"]), int(entry["size"]), by, ended)


def _walk(folder, above=()):
    """Yield all files below a folder, also behind links to folders; a loop of links is followed once."""
    try:
        status = os.stat(folder)
        names = os.listdir(folder)
    except OSError as error:
        raise InputError(f"{folder}: cannot be read ({error.strerror})") from None
    here = (status.st_dev, status.st_ino)
    for name in names if here not in above else ():
        path = os.path.join(folder, name)
        if os.path.isdir(path):
            yield from _walk(path, (*above, here))
        else:
            yield path


def _compare(path, claim: Claim, fits: bool) -> str:
    """Read a file once and return what is wrong with it; "" if nothing is."""
    if not stat.S_ISREG(os.stat(path).st_mode):
        return "not a regular file"
    problems, sums, digest, buffer = [], None, hashlib.sha256(), bytearray(PIECE)
    with open(path, "rb") as stream:
        size = os.fstat(stream.fileno()).st_size
        if size != claim.size:
            return f"{size} bytes, recorded {claim.size}"
        if fits:
            try:
                sums = Sums(units(path))
            except InputError as error:
                problems.append(str(error).removeprefix(f"{path}: ").removeprefix(os.fspath(path)))
        while length := stream.readinto(buffer):
            piece = memoryview(buffer)[:length]
            digest.update(piece)
            if sums:
                sums.update(piece)
    if digest.hexdigest() != claim.sha256:
        problems.insert(0, f"sha256 {digest.hexdigest()[:16]}…, recorded {claim.sha256[:16]}…")
    for unit, keyword, fault in sums.faults() if sums else ():
        problems.append(f"[{unit.name}]: {fault or f'no {keyword}'}")
    return "; ".join(problems)


def _installed(name: str) -> str | None:
    if name == "python":
        return platform.python_version()
    try:
        return (
            record.drizzleflow.__version__
            if name == "drizzleflow"
            else importlib.metadata.version({"PIL": "pillow"}.get(name, name))
        )
    except importlib.metadata.PackageNotFoundError:
        return None
