"""Read associations, the tables of exposures that make one product.

Three forms, told apart by the end of the name: JWST level-3 JSON (``.json``), HST tables (``_asn.fits``) and
``.csv``. Members' paths are relative to the association. This module reads tables; `drizzleflow.plan` looks
at the files.
"""

from __future__ import annotations

import json
import os
import re
import reprlib
from dataclasses import dataclass, field

from drizzleflow import formats
from drizzleflow.errors import InputError, has_control
from drizzleflow.io.columns import ASSOCIATION_SCHEMA
from drizzleflow.io.files import fingerprint, read_text, why_no_file
from drizzleflow.plan.files import read_hst_table, read_sheet

#: what a product, member or group may be called: it becomes a file name, safe for any shell or glob
SAFE_NAME = re.compile(r"(?!\.{1,2}$)(?!-)[A-Za-z0-9._+-]{1,200}", re.ASCII)
_EXTENSION = re.compile(r"\.(fits?|fts|asdf)(\.(gz|fz|bz2|xz))?$|\.(gz|fz)$", re.IGNORECASE)
#: HST tables: the endings tried for a rootname, in this order
HST_ENDINGS = ("flc", "flt", "c0m")


@dataclass
class Association:
    """Hold one product's name and the files that make it.

    Each of `members` is a dict: ``path`` (as found: absolute, or relative to the working folder), ``member``
    (name), ``exptype`` (lower case), and where given ``group``, ``dq`` and ``ivar`` (paths), ``flux_scale``
    (float).
    """

    name: str
    source: str
    asn_id: str = ""
    members: list[dict] = field(default_factory=list)
    left_out: list[str] = field(
        default_factory=list
    )  #: of a folder: the files that are no members, a line each

    @property
    def science(self) -> list[dict]:
        return [member for member in self.members if member["exptype"] == "science"]


def member_name(path, suffixes=None) -> str:
    """Return a member's default name: its file's stem without an ending such as ``_cal`` or ``_flc``.

    `suffixes`: those that count, by default the declared ones of all formats.
    """
    stem = _EXTENSION.sub("", os.path.basename(path))
    for suffix in formats.suffixes() if suffixes is None else suffixes:
        if stem.lower().endswith(suffix) and len(stem) > len(suffix):
            return stem[: -len(suffix)]
    return stem


def read(path, table=lambda path, about, read: read(path), suffixes=None) -> list[Association]:
    """Read the products of an association file, in order of first appearance.

    Parameters
    ----------
    path : path
        Ends in ``.json``, ``.fits`` or ``.csv``.
    table : callable, optional
        ``table(path, about, read)`` gives ``read(path)``, lists of plain values, or what a cache keeps of it;
        `about` says what was asked.
    suffixes : sequence of str, optional
        See `member_name`, which names the members that the association does not.

    Raises
    ------
    InputError
        The file cannot be read or is not an association; one line with the file, what was found and what was
        expected.
    """
    path = os.fspath(path)
    ending = path.lower()
    if not os.path.isfile(path):  # a pipe would be waited for, /dev/zero read for ever
        raise InputError(f"{path}: {why_no_file(path)}")
    _expect_plain_path(path, path, "path")
    if ending.endswith(".json"):
        made = _read_json(path)
    elif ending.endswith(".csv"):
        about = f"sheet {fingerprint(ASSOCIATION_SCHEMA)['sha256']}"
        made = _read_csv(path, table(path, about, read_sheet))
    elif ending.endswith((".fits", ".fit", ".fits.gz")):
        made = [_read_hst(path, table(path, "rows", read_hst_table))]
    else:
        raise InputError(
            f"{path}: unknown kind of association, expected a folder, a pattern such as data/*_cal.fits, or a "
            "table whose name ends in .json, _asn.fits or .csv"
        )
    for member in (member for association in made for member in association.members):
        member["member"] = member["member"] or member_name(member["path"], suffixes)
    return made


def check(association: Association) -> None:
    """Raise `InputError` unless the names are safe and different, there is science, and its files exist.

    Files are looked for in the file system, never opened.
    """
    source, name = association.source, association.name
    _check_name(source, "product", name)
    science = association.science
    if not science:
        kinds = sorted({member["exptype"] for member in association.members})
        found = f"only {', '.join(kinds)}" if kinds else "no members"
        raise InputError(f"{source}: product {name}: no science member ({found}), expected at least one")
    for member in science:
        for key in ("path", "dq", "ivar"):
            _expect_plain_path(
                source, member.get(key) or "", f"product {name}: member {member['member']!r}: {key}"
            )
    seen, places = {}, {}
    for member in science:
        _check_name(source, f"product {name}: member", member["member"])
        if member.get("group"):
            _check_name(source, f"product {name}: member {member['member']}: group", member["group"])
        if member["member"] in seen:
            raise InputError(
                f"{source}: product {name}: duplicate member {member['member']} "
                f"({seen[member['member']]} and {member['path']}), expected each once, with its own name"
            )
        seen[member["member"]] = member["path"]
        for key in ("path", "dq", "ivar"):
            file = member.get(key)
            if file and not os.path.isfile(file):
                column = "" if key == "path" else f" ({key})"
                raise InputError(
                    f"{source}: product {name}: member {member['member']}: {file}{column}: {why_no_file(file)}"
                )
        place = os.path.realpath(member["path"])
        if place in places:
            raise InputError(
                f"{source}: product {name}: members {places[place]} and {member['member']} are the same file "
                f"({member['path']}), expected each file once"
            )
        places[place] = member["member"]


def _expect_plain_path(source, path, what) -> None:
    """Raise InputError for a path that cannot be a rule's input: Snakemake replaces text in braces."""
    if has_control(path):
        raise InputError(f"{source}: {what} {path!r} has control characters, expected none")
    if set("{}<>") & set(path):
        raise InputError(
            f"{source}: {what} {path!r} has one of {{ }} < >, which Snakemake takes for names to fill in; expected none"
        )


def _check_name(source, what, name) -> None:
    if not SAFE_NAME.fullmatch(name):
        raise InputError(
            f"{source}: {what} {name!r} cannot be a file name, expected letters, digits and . _ + - "
            f"(no - in front, at most 200)"
        )


def safe_name(name: str) -> str:
    """Return `name` with the characters that a file name cannot have replaced by ``_``."""
    cleaned = re.sub(r"[^A-Za-z0-9._+-]", "_", name, flags=re.ASCII).lstrip("-.")[:200]
    return cleaned or "product"


def _beside(source, name: str) -> str:
    """Return a path that an association gives relative to its own folder."""
    joined = os.path.join(os.path.dirname(source), name)
    tidy = os.path.normpath(joined)
    if ".." not in name or not os.path.exists(joined):
        return tidy
    # a/link/../b is not a/b where link leads elsewhere
    return tidy if os.path.realpath(tidy) == os.path.realpath(joined) else joined


def _read_json(path) -> list[Association]:
    text = read_text(path)
    try:
        table = json.loads(text)
    except json.JSONDecodeError as error:
        raise InputError(
            f"{path}: not valid JSON, line {error.lineno} column {error.colno}: {error.msg}"
        ) from None
    except (ValueError, RecursionError):  # an absurd number, a thousand brackets
        raise InputError(f"{path}: not valid JSON, expected a JWST level-3 association") from None
    products = table.get("products") if isinstance(table, dict) else None
    if not isinstance(products, list) or not products:
        raise InputError(
            f"{path}: no list 'products', expected a JWST level-3 association with at least one product"
        )
    asn_id = table.get("asn_id")
    found = []
    for i, product in enumerate(products):
        members = product.get("members") if isinstance(product, dict) else None
        if not isinstance(members, list):
            raise InputError(f"{path}: products[{i}]: no list 'members', expected one")
        name = product.get("name") or os.path.basename(path)[: -len(".json")]
        if not isinstance(name, str):
            raise InputError(f"{path}: products[{i}].name is {reprlib.repr(name)}, expected a text")
        name = _EXTENSION.sub("", name)  # some tools write the product's file name there
        entry = Association(name, path, "" if asn_id is None else str(asn_id))
        for j, member in enumerate(members):
            here = f"{path}: products[{i}].members[{j}]"
            if not isinstance(member, dict):
                raise InputError(
                    f"{here} is {reprlib.repr(member)}, expected an object with expname and exptype"
                )
            for key in ("expname", "exptype"):
                text = member.get(key)
                if not isinstance(text, str) or not text.strip() or has_control(text):
                    raise InputError(f"{here}: {key} is {reprlib.repr(member.get(key))}, expected a text")
            group = member.get("group_id")
            if isinstance(group, (dict, list)):
                raise InputError(f"{here}: group_id is {reprlib.repr(group)}, expected a text")
            entry.members.append(_member(path, member["expname"], member["exptype"], group=group))
        found.append(entry)
    return found


def _member(source, file, exptype, name=None, group=None, **more) -> dict:
    member = {
        "path": _beside(source, file),
        "member": name or "",
        "exptype": exptype.strip().lower(),
    }
    if group not in (None, ""):
        member["group"] = str(group)
    return {**member, **more}


def _read_csv(path, rows) -> list[Association]:
    default = os.path.splitext(os.path.basename(path))[0]
    products: dict[str, Association] = {}
    for row in rows:
        product = row.get("product", default)
        more = {key: _beside(path, row[key]) for key in ("dq", "ivar") if key in row}
        if "flux_scale" in row:
            more["flux_scale"] = row["flux_scale"]
        member = _member(
            path, row["path"], row.get("exptype", "science"), row.get("member"), row.get("group"), **more
        )
        products.setdefault(product, Association(product, path)).members.append(member)
    return list(products.values())


def _read_hst(path, rows) -> Association:
    """Read an HST association table, whose MEMNAME is a rootname.

    A member's file is beside the table, ``{root}_flc.fits``, ``_flt.fits`` or ``_c0m.fits``. The product is named
    by the present PROD-DTH row, else PROD-RPT, else PROD-CRJ, else the table's name before the underscore.
    """
    products = {kind: name for name, kind, present in reversed(rows) if present and kind.startswith("PROD")}
    order = ("PROD-DTH", "PROD-RPT", "PROD-CRJ")
    # a product row is often not 'present' before the product is made: its name is good all the same
    absent = {kind: name for name, kind, _ in reversed(rows) if kind.startswith("PROD")}
    name = next((table[kind] for table in (products, absent) for kind in order if kind in table), "")
    if not name:
        name = os.path.basename(path).split("_")[0].split(".")[0]
    association = Association(name, path, name)
    kinds = set()
    for root, kind, present in rows:
        if not present or not kind.startswith("EXP"):
            continue
        files = {end: _beside(path, f"{root}_{end}.fits") for end in HST_ENDINGS}
        there = [end for end in HST_ENDINGS if os.path.isfile(files[end])]
        if len(there) > 1:
            raise InputError(
                f"{path}: both {files[there[0]]} and {files[there[1]]} exist for member {root}, expected one "
                f"(the search order is {', '.join(HST_ENDINGS)}; move one away, or name the files in a CSV)"
            )
        if not there:
            raise InputError(
                f"{path}: member {root}: neither {files['flc']} nor _{' nor _'.join(HST_ENDINGS[1:])} exists"
            )
        kinds.update(there)
        association.members.append(_member(path, os.path.basename(files[there[0]]), "science"))
    if len(kinds) > 1:
        raise InputError(
            f"{path}: some members are {', others '.join('_' + kind for kind in HST_ENDINGS if kind in kinds)}, "
            "expected one kind (_flc: CTE-corrected)"
        )
    return association
