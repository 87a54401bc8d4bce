"""A bench to break things on: small good exposures of every format, the means to spoil them, and the jobs
that must notice.

`Bench` copies a good association into a folder; a case of `corpus` spoils it; `judge` does what the workflow
does up to the first job that opens the members: the configuration, the plan, and the real scripts ``members``
and ``footprint``.
"""

from __future__ import annotations

import functools
import json
import os
import re
import runpy
import shutil
import tempfile
import warnings
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace

from astropy.io import fits

from drizzleflow import formats
from drizzleflow.errors import InputError
from drizzleflow.geometry import footprint
from drizzleflow.plan import config
from drizzleflow.plan import products as plan
from drizzleflow.resample import i2d
from drizzleflow.simulate import simulate

REPO = Path(__file__).resolve().parents[2]
PRESETS = REPO / "config" / "presets"
SHAPE = (24, 32)  #: not square: a transposed plane has another shape


@functools.cache
def defaults() -> dict:
    return config.load(REPO / "config" / "config.yaml")


@functools.cache
def good(flavour: str) -> Path:
    """A folder with two good exposures of a flavour and ``good.*``, their association; made once a process."""
    folder = Path(tempfile.mkdtemp(prefix=f"drizzleflow-{flavour}-"))
    made = simulate(
        folder, flavour=flavour, exposures=2, detectors=1, shape=SHAPE, seed=3, product="good", stars=3e4
    )
    shutil.rmtree(made["truth"])
    if flavour == "simple":
        os.unlink(made["associations"][0])
        (folder / "good.csv").write_text("\n".join(["path", *map(os.path.basename, made["members"])]) + "\n")
    return folder


class Bench:
    """A spoiled association in the making.

    Attributes
    ----------
    folder : Path
    bad : Path
        The member that a case spoils.
    settings : dict
        The user's configuration.
    """

    def __init__(self, folder: Path, flavour: str):
        self.flavour, self.folder = flavour, folder
        shutil.copytree(good(flavour), folder, dirs_exist_ok=True)
        ending = {"roman": ".asdf"}.get(flavour, ".fits")
        self.members = sorted(p for p in folder.glob(f"*{ending}") if not p.name.endswith("_asn.fits"))
        self.bad = self.members[0]
        self.asn = next(p for p in folder.iterdir() if p not in self.members)
        self.settings: dict = {"associations": str(self.asn)}

    # -- FITS

    def edit(self, change, path=None) -> None:
        """Change a file's HDUs with astropy; checksums fit what is written."""
        path = path or self.bad
        with fits.open(path, uint=True) as hdus:
            hdus = fits.HDUList([hdu.copy() for hdu in hdus])
            change(hdus)
            hdus.writeto(path, overwrite=True, checksum=True, output_verify="ignore")

    def card(self, key: str, value: str, hdu: int = 0, path=None) -> None:
        """Put a raw card into a header, in the keyword's place or at the end; checksums are taken out."""
        path = path or self.bad
        content = path.read_bytes()
        with fits.open(path) as hdus:
            places = [(h.fileinfo()["hdrLoc"], h.fileinfo()["datLoc"]) for h in hdus]
        out, last = b"", 0
        for number, (start, data) in enumerate(places):
            cards = [content[i : i + 80] for i in range(start, data, 80)]
            cards = [c for c in cards if c.strip() and c[:8].strip() not in (b"END", b"DATASUM", b"CHECKSUM")]
            if number == hdu:
                name, image = key.ljust(8).encode(), f"{key:<8}= {value}".encode().ljust(80)[:80]
                where = [i for i, c in enumerate(cards) if c[:8] == name]
                cards[where[0] if where else len(cards) :] = (
                    [image, *cards[where[0] + 1 :]] if where else [image]
                )
            block = b"".join(cards) + b"END".ljust(80)
            out += content[last:start] + block.ljust(-(-len(block) // 2880) * 2880)
            last = data
        path.write_bytes(out + content[last:])

    def drop(self, *keys: str, hdu: int = 0, path=None) -> None:
        def change(hdus):
            for key in keys:
                hdus[hdu].header.remove(key, ignore_missing=True, remove_all=True)

        self.edit(change, path)

    def place(self, name, path=None) -> tuple[int, int, int]:
        """(start of the header, start of the data, bytes of data) of an HDU."""
        with fits.open(path or self.bad) as hdus:
            info = hdus[name].fileinfo()
            return info["hdrLoc"], info["datLoc"], hdus[name].size

    # -- bytes

    def cut(self, size: int, path=None) -> None:
        path = path or self.bad
        path.write_bytes(path.read_bytes()[:size])

    def flip(self, offset: int, path=None) -> None:
        path = path or self.bad
        content = bytearray(path.read_bytes())
        content[offset] ^= 1
        path.write_bytes(content)

    def replace(self, old: bytes, new: bytes, path=None, count: int = 1) -> None:
        path = path or self.bad
        content = path.read_bytes()
        assert old in content, old
        path.write_bytes(content.replace(old, new, count))

    def tree(self, pattern: str, new: str) -> None:
        """Change the text of an ASDF file's tree; its blocks stay."""
        content = self.bad.read_bytes()
        end = re.search(rb"\n\.\.\.\r?\n", content).end()
        text, found = re.subn(pattern, lambda _: new, content[:end].decode(), count=1, flags=re.DOTALL)
        assert found, pattern
        self.bad.write_bytes(text.encode("utf-8", "surrogatepass") + content[end:])

    # -- associations

    def table(self, lines, name="table.csv", product="table") -> None:
        self._associate(name, "\n".join(["path", *lines] if isinstance(lines, list) else [lines]) + "\n")

    def json(self, content, name="table.json") -> None:
        self._associate(name, content if isinstance(content, (str, bytes)) else json.dumps(content))

    def level3(self, expname="", name="out", **more) -> None:
        expname = expname or self.bad.name
        member = {"expname": expname, "exptype": "science", **more}
        self.json({"products": [{"name": name, "members": [member]}]})

    def _associate(self, name, content) -> None:
        self.asn = self.folder / name
        self.settings["associations"] = str(self.asn)
        self.asn.write_bytes(content if isinstance(content, bytes) else content.encode("utf-8"))


@dataclass
class Verdict:
    """How far a configuration came: the stage that refused it, or ``accepted``."""

    stage: str  #: config, plan, footprint, accepted
    message: str = ""
    log: str = ""
    outlines: tuple = ()
    product: object = None


def script(name: str, out: Path, params: dict, outputs: dict) -> tuple[bool, str]:
    """Run a rule's script in this process: whether it ended well, and its log."""
    given = SimpleNamespace(
        rule=name,
        wildcards={"product": out.name},
        params=SimpleNamespace(**params),
        input=[],
        threads=1,
        output=SimpleNamespace(**{key: str(out / value) for key, value in outputs.items()}),
        log=[str(out / f"log/{name}.log")],
    )
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            script = str(REPO / "scripts" / f"{name}.py")
            runpy.run_path(script, init_globals={"snakemake": given}, run_name="__main__")
        well = True
    except SystemExit as error:
        well = not error.code
    return well, (out / f"log/{name}.log").read_text()


def judge(settings: dict, folder: Path) -> Verdict:
    """What becomes of a user's settings, up to the first job that opens the members. Anything but
    `InputError` is raised.
    """
    try:
        planned = plan.build(config.resolve(defaults(), settings, PRESETS), None)
    except InputError as error:
        return Verdict("config", str(error))
    (product,) = planned.products.values()
    out = folder / "out" / product.name
    known = {
        "error": product.error,
        "members": [m.asdict() for m in product.members],
        "others": product.others,
    }
    well, log = script(
        "members", out, {"opts": known}, {"table": "members.csv", "record": "record/members.json"}
    )
    assert well == (product.error is None)
    if not well:
        assert log == f"members: {product.error}\n"
        return Verdict("plan", product.error, log, product=product)
    sections = ("grid", "single_drizzle", "mosaic", "skymatch", "simple", "inputs")
    opts = {**{key: product.options[key] for key in sections}, "members": known["members"]}
    names = {
        "outlines": "footprint/all.json",
        "lattices": "footprint/all.npz",
        "record": "record/footprint/all.json",
    }
    well, log = script("footprint", out, {"opts": opts}, names)
    if not well:
        last = log.splitlines()[-1]
        assert last.startswith("footprint: "), log
        return Verdict("footprint", last.removeprefix("footprint: "), log, product=product)
    return Verdict("accepted", "", log, json.loads((out / "footprint/all.json").read_text()), product)


def products_left(folder: Path) -> list[str]:
    """Files of products below a run's output, logs apart."""
    return sorted(p.name for p in (folder / "out").rglob("*") if p.is_file() and p.parent.name != "log")


def one_line(error: InputError) -> None:
    """What a message is promised to be."""
    assert str(error) and str(error).isprintable() and len(str(error)) < 2100, repr(str(error))


def examine(content: bytes, path: Path, largest: int = 1 << 20) -> str:
    """What the plan, `footprint` and the steps behind it do with a member of any content: ``read`` or
    ``refused``.

    Frames of more than `largest` pixels are not read whole. Raises whatever is not an `InputError` of one
    line.
    """
    path.write_bytes(content)
    table = path.with_suffix(".csv")
    table.write_text(f"path\n{path.name}\n")
    (product,) = plan.build(resolved() | {"associations": str(table)}, None).products.values()
    try:
        if product.error:
            raise InputError(product.error)
        (member,) = product.members
        formats.verify(path)
        for extver in range(1, min(member.nframes, 4) + 1):
            frame = formats.read(member.asdict(), extver, (), product.options["simple"])
            if frame.shape[0] * frame.shape[1] <= largest:
                formats.read(member.asdict(), extver, ("data", "err", "dq", "var"), product.options["simple"])
            try:
                footprint.describe(frame.wcs, frame.s_region)
            except InputError:
                raise
            except ValueError as error:  # as the script has it
                raise InputError(error) from None
        i2d.merge_headers([path], formats.get(member.format).headers or i2d.headers)
    except InputError as error:
        one_line(error)
        return "refused"
    return "read"


@functools.cache
def resolved() -> dict:
    return config.resolve(defaults(), {}, PRESETS)
