"""This package writes down where a product comes from, as W3C PROV in JSON: every file and every job.

Files are PROV's entities. Jobs are its activities, which ``used`` some files and made others
(``wasGeneratedBy``). The software of a job is the agent it ``wasAssociatedWith``. ``wasDerivedFrom`` says
which frame went into which product, with the frame's window of the grid and its mask. The layout is that of
https://www.w3.org/submissions/prov-json/.

``python -m drizzleflow.provenance`` traces one pixel or exports a run: see `drizzleflow.provenance.__main__`.
"""

from __future__ import annotations

import hashlib
import json
import os
from functools import lru_cache
from urllib.parse import quote

from drizzleflow.io.files import fingerprint, replacing
from drizzleflow.jobs import record

PREFIX = {
    "df": "urn:drizzleflow:terms:",
    "file": "urn:drizzleflow:file:",
    "job": "urn:drizzleflow:job:",
    "product": "urn:drizzleflow:product:",
    "software": "urn:drizzleflow:software:",
}


#: what is told of a record
TOLD = (
    "rule",
    "wildcards",
    "params",
    "inputs",
    "outputs",
    "contributions",
    "versions",
    "git",
    "code",
    "host",
    "log",
    "started",
    "ended",
)


def collect(records, product: str, out_path, sources=(), config=(), own: dict | None = None) -> dict:
    """Write ``provenance.json``: all files and jobs behind one product.

    Parameters
    ----------
    records : list of paths
        Records of the product's jobs (see `drizzleflow.jobs.record`), in any order: the result does not
        depend on it.
    product : str
        Name of the product.
    out_path : path
        The JSON file.
    sources : list of paths
        Files that no job made (the association, members, tables). A file without a hash in any record is
        hashed here.
    config : list of paths
        The configuration files of the run.
    own : dict, optional
        What the job that writes `out_path` says of itself (`drizzleflow.jobs.record.Job.account`). It becomes
        an activity like the others, but without an end time. The file cannot hold its own hash.

    Returns
    -------
    dict
        The content of the file. Paths are relative to the working folder if they lie in it. Attributes that
        are tables (``df:params``, ``df:wildcards``) are JSON text, since PROV knows only plain values.

    Raises
    ------
    InputError
        A record cannot be read.
    FileNotFoundError
        A source file does not exist.
    """
    files, jobs = _Files(), []
    for path in sorted({relative(path) for path in records}):
        entry = record.read(path)
        entry = {key: entry[key] for key in TOLD if key in entry} | {"params": _params(entry)}
        files.made(fingerprint(path))
        jobs.append((path, entry))
    jobs.sort(
        key=lambda item: (item[1]["rule"], list(map(str, (item[1].get("wildcards") or {}).values())), item[0])
    )
    for _, entry in jobs:
        for made in entry.get("outputs") or ():
            files.made(made)
    for _, entry in jobs:
        for given in entry.get("inputs") or ():
            if given.get("sha256"):
                files.seen(given)
    for source in (*sources, *config):
        if not files.known(source):
            files.seen(fingerprint(source))
    if own is not None:
        mine = {"outputs": [{"path": os.fspath(out_path)}], "params": _params(own)}
        jobs.append((None, {**own, **mine}))

    document = {
        "prefix": dict(PREFIX),
        "entity": {},
        "activity": {},
        "agent": {},
        "used": {},
        "wasGeneratedBy": {},
        "wasAssociatedWith": {},
        "wasDerivedFrom": {},
        "wasInfluencedBy": {},
        "hadMember": {},
    }
    told = [how for _, entry in jobs for how in entry.get("contributions") or ()]
    masks = {relative(how["product"]): how["mask"] for how in told if "mask" in how}
    for path, entry in jobs:
        _add_contributions(document, files, _add_job(document, files, path, entry), entry, masks)
    for source in sources:
        files.name(source)
    name = _add_product(document, files, product, jobs)
    for path in config:
        _relate(
            document, "wasInfluencedBy", "i", {"prov:influencee": name, "prov:influencer": files.name(path)}
        )
    document["entity"].update(files.entities())
    for part in ("entity", "activity", "agent"):
        document[part] = dict(sorted(document[part].items()))
    with replacing(out_path) as temporary, open(temporary, "w", encoding="utf-8", newline="\n") as out:
        json.dump(document, out, indent=1, ensure_ascii=False, allow_nan=False)  # never as a whole in memory
        out.write("\n")
    return document


def relative(path) -> str:
    """Return `path` relative to the working folder if it lies in it, otherwise absolute."""
    return _relative(os.fspath(path), os.getcwd())


@lru_cache(maxsize=1 << 17)
def _relative(path: str, here: str) -> str:
    full = os.path.normpath(os.path.join(here, path))
    inside = full == here or full.startswith(here.rstrip(os.sep) + os.sep)
    return os.path.relpath(full, here) if inside else full


class _Files:
    """The files of the run, as PROV entities: one for each content that a path has had."""

    def __init__(self):
        self._first: dict[str, str | None] = {}  # path -> hash of the content that has the plain name
        self._all: dict[tuple[str, str | None], dict] = {}
        self._named: dict[str, dict] = {}

    def made(self, entry) -> None:
        """Add a file with the hash that its maker recorded; the path's plain name means this content."""
        self._first.setdefault(relative(entry["path"]), entry["sha256"])
        self.seen(entry)

    def seen(self, entry) -> None:
        path = relative(entry["path"])
        self._first.setdefault(path, entry["sha256"])
        self._all[path, entry["sha256"]] = {"path": path, "sha256": entry["sha256"], "size": entry["size"]}

    def known(self, path) -> bool:
        return relative(path) in self._first

    def name(self, path, sha256: str | None = None) -> str:
        """Return the entity's name; a second content of the same path has its hash in the name."""
        path = relative(path)
        first = self._first.get(path)
        sha256 = sha256 or first
        suffix = f"@{sha256[:16]}" if sha256 != first else ""
        name = f"file:{quote(path + suffix, safe='/@+,=~')}"
        self._named[name] = self._all.get((path, sha256), {"path": path})
        return name

    def entities(self) -> dict:
        entities = {}
        for name, entry in self._named.items():
            entities[name] = {"prov:label": os.path.basename(entry["path"]), "df:path": entry["path"]}
            if "sha256" in entry:
                entities[name].update({"df:sha256": entry["sha256"], "df:size": entry["size"]})
        return entities


def _params(entry: dict) -> str:
    return json.dumps(entry.get("params") or {}, ensure_ascii=False, sort_keys=True)


def _add_job(document, files: _Files, path: str | None, entry: dict) -> str:
    wildcards = entry.get("wildcards") or {}
    label = " ".join([entry["rule"], *map(str, wildcards.values())])
    name = "job:" + "/".join(
        quote(part, safe="+,=~") for part in (entry["rule"], *map(str, wildcards.values()))
    )
    if name in document["activity"]:  # the same rule and wildcards ran in two folders
        name += "@" + quote(path, safe="/+,=~")
    activity = {
        "prov:label": label,
        "df:rule": entry["rule"],
        "df:wildcards": json.dumps(wildcards, ensure_ascii=False),
        "df:params": entry["params"],
    }
    named = {
        "prov:startTime": "started",
        "prov:endTime": "ended",
        "df:code": "code",
        "df:host": "host",
        "df:log": "log",
    }
    activity.update({key: entry[source] for key, source in named.items() if entry.get(source)})
    document["activity"][name] = activity
    for given in _unique(entry.get("inputs")):
        used = files.name(given["path"], given.get("sha256"))
        _relate(document, "used", "u", {"prov:activity": name, "prov:entity": used})
    for made in [*_unique(entry.get("outputs")), *([{"path": path}] if path else [])]:
        generated = files.name(made["path"], made.get("sha256"))
        _relate(document, "wasGeneratedBy", "g", {"prov:entity": generated, "prov:activity": name})
    agent = _agent(document, entry.get("versions") or {}, entry.get("git"))
    _relate(document, "wasAssociatedWith", "a", {"prov:activity": name, "prov:agent": agent})
    return name


def _add_contributions(document, files: _Files, job: str, entry: dict, masks: dict) -> None:
    """Write which frame went into which product (``wasDerivedFrom``).

    Each relation has the frame's window of the grid and the mask of the frame. The frame may be a copy of the
    member, such as the flagged copy.
    """
    for how in entry.get("contributions") or ():
        product, source = files.name(how["product"]), files.name(how["source"])
        relation = {"prov:generatedEntity": product, "prov:usedEntity": source, "prov:activity": job}
        relation.update({f"df:{key}": how[key] for key in ("member", "extver") if key in how})
        if "window" in how:
            relation["df:window"] = json.dumps(how["window"])
        mask = how.get("mask") or masks.get(relative(how["source"]))
        if mask:
            relation["df:mask"] = {"$": files.name(mask), "type": "prov:QUALIFIED_NAME"}
        _relate(document, "wasDerivedFrom", "d", relation)


def _unique(entries) -> list[dict]:
    return list({relative(entry["path"]): entry for entry in entries or ()}.values())


def _agent(document, versions: dict, git: dict | None) -> str:
    """Return the name of the software agent: one for each set of versions and commit of drizzleflow."""
    text = json.dumps([versions, git] if git else versions, sort_keys=True)
    name = "software:" + hashlib.sha256(text.encode()).hexdigest()[:16]
    document["agent"][name] = {
        "prov:type": {"$": "prov:SoftwareAgent", "type": "prov:QUALIFIED_NAME"},
        "prov:label": f"drizzleflow {versions.get('drizzleflow', '')}".strip(),
        **{f"df:{package}": version for package, version in sorted(versions.items())},
        **{f"df:git_{key}": value for key, value in sorted((git or {}).items())},
    }
    return name


def _add_product(document, files: _Files, product: str, jobs) -> str:
    """Add the product as the collection of its files, and return the name of the entity."""
    name = "product:" + quote(product, safe="+,=~")
    kind = {"$": "prov:Collection", "type": "prov:QUALIFIED_NAME"}
    document["entity"][name] = {"prov:type": kind, "prov:label": product}
    for _, entry in jobs:
        for made in entry.get("outputs") or ():
            if os.path.basename(made["path"]).startswith(f"{product}_"):
                member = {"prov:collection": name, "prov:entity": files.name(made["path"], made["sha256"])}
                _relate(document, "hadMember", "m", member)
    return name


def _relate(document, kind: str, letter: str, relation: dict) -> None:
    document[kind][f"_:{letter}{len(document[kind]) + 1}"] = relation
