"""Helpers of the workflow tests: run the real ``snakemake`` command in a folder of its own and look at what
it made.
"""

from __future__ import annotations

import csv
import hashlib
import os
import subprocess
import sys
import tempfile
import warnings
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import warm
import yaml
from astropy.io import fits

REPO = Path(__file__).resolve().parents[2]
SNAKEMAKE = Path(sys.executable).with_name("snakemake")
sys.path.append(str(REPO / "benchmarks"))
import rss  # noqa: E402

PROV_KEYWORDS = ("PROVVER", "PROVCODE", "PROVCONF", "PROVIN")
#: keywords that a crf may have and its input has not (the contract)
CRF_KEYWORDS = {"S_OUTLIR", "BKGMETH", "BKGLEVEL", "BKGSUB", *PROV_KEYWORDS, "CHECKSUM", "DATASUM"}


@dataclass
class Run:
    """One call of the command: the working folder and how it ended."""

    folder: Path
    process: subprocess.CompletedProcess
    out: Path  #: the output folder

    def product(self, name: str) -> Path:
        return self.out / name

    @property
    def said(self) -> str:
        return self.process.stdout + self.process.stderr

    def log(self, product: str, step: str) -> str:
        return (self.out / product / "log" / f"{step}.log").read_text()


def environment(repo: Path = REPO) -> dict[str, str]:
    """The environment of a run of a checkout."""
    return {**os.environ, "PYTHONPATH": str(repo / "scripts"), "OPENBLAS_NUM_THREADS": "1"}


def run(
    folder: Path, config: dict, *arguments: str, cores: int = 2, check: bool = True, measured=False
) -> Run:
    """Run ``snakemake`` in `folder` (made if missing) with `config` as its config file.

    `measured`: in new processes, so that the records have the jobs' own memory (else they are forks:
    warm.py).
    """
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.yaml").write_text(yaml.safe_dump(config))
    # --configfile takes all words up to the next option
    words = ["-s", REPO / "Snakefile", "--configfile", "config.yaml", "--cores", cores, *arguments]
    command = [str(word) for word in (SNAKEMAKE, *words)]
    if measured:
        process = subprocess.run(command, cwd=folder, env=environment(), capture_output=True, text=True)
    else:
        with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
            status = warm.run(command, folder, environment(), [out.fileno(), err.fileno()])
            out.seek(0), err.seek(0)
            process = subprocess.CompletedProcess(command, status, out.read().decode(), err.read().decode())
    if check:
        assert process.returncode == 0, (process.stdout + process.stderr)[-6000:]
    return Run(folder, process, folder / config.get("outdir", "results"))


def write_table(path: Path, columns: str, lines) -> Path:
    """A CSV association from lines of text."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join([columns, *lines]) + "\n")
    return path


def dishonest(out: Path) -> list[str]:
    """The jobs of finished runs whose mem_mb is not 1.1 to 1.6 times their measured peak, as
    `benchmarks/rss.py` judges it.
    """
    found = [
        (product.name, rule, *job)
        for product in out.iterdir()
        if product.is_dir()
        for rule, all in rss.jobs(product).items()
        for job in all
    ]
    assert found, f"{out}: no records"
    return [
        f"{product}: {rule} {name}: asked for {asked}, took {peak}"
        for product, rule, asked, peak, _, name in found
        if not rss.honest(asked, peak)
    ]


def rows(path) -> list[dict]:
    with open(path, newline="") as file:
        return list(csv.DictReader(file))


def digests(paths) -> dict[str, str]:
    return {str(path): hashlib.sha256(Path(path).read_bytes()).hexdigest() for path in paths}


def masks(product: Path) -> dict[str, dict[int, np.ndarray]]:
    """member -> EXTVER -> bool array of the cosmic-ray mask."""
    found = {}
    for path in sorted((product / "crmask").glob("*_crmask.fits")):
        with fits.open(path) as hdus:
            planes = {hdu.ver: hdu.data != 0 for hdu in hdus if hdu.name == "CRMASK"}
        found[path.name.removesuffix("_crmask.fits")] = planes
    return found


def planted(truth, member: str, extver: int = 1) -> np.ndarray:
    """Planted pixels of a simulated member, as a bool array (a cube where it is one)."""
    return fits.getdata(Path(truth) / f"{member}_truth.fits", ("CRMASK", extver)) != 0


def data_bytes(path) -> list[tuple[str, int, bytes]]:
    """(EXTNAME, EXTVER, data unit as stored) of each HDU."""
    whole = Path(path).read_bytes()
    with fits.open(path, disable_image_compression=True) as hdus:
        spans = [(h.name, h.ver, h.fileinfo()["datLoc"], h.fileinfo()["datSpan"]) for h in hdus]
    return [(name, ver, whole[start : start + span]) for name, ver, start, span in spans]


def cards(header) -> set[tuple]:
    """(keyword, value) of a header, without the layout of the data and checksums."""
    skip = {"BITPIX", "BSCALE", "BZERO", "CHECKSUM", "DATASUM", "EXTEND", "NEXTEND", "CONTINUE"}
    return {(c.keyword, str(c.value)) for c in header.cards if c.keyword not in skip}


def open_verified(path) -> fits.HDUList:
    """Open a product with all its checksums verified; a wrong or missing one is an error."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        hdus = fits.open(path, checksum=True, memmap=False)
        for hdu in hdus:
            assert "CHECKSUM" in hdu.header and "DATASUM" in hdu.header, f"{path}[{hdu.name}]: no checksum"
            _ = hdu.data  # verified as it is read
    return hdus


def star_offsets(i2d, truth, count: int = 5) -> np.ndarray:
    """(n, 2) distances in pixels of the brightest planted compact sources from where the mosaic's FITS WCS
    puts them.

    Centroids under a round Gaussian that moves along. Sources near the edge, near another of a tenth of the
    flux, or on pixels without data are left out.
    """
    import json

    from astropy.wcs import WCS

    sources = np.array(json.loads((Path(truth) / "truth.json").read_text())["sources"]["rows"])
    with fits.open(i2d) as hdus:
        data, wcs = hdus["SCI"].data.astype(float), WCS(hdus["SCI"].header)
    x, y = wcs.all_world2pix(sources[:, 0], sources[:, 1], 0)
    flux, radius = sources[:, 2], sources[:, 3]
    found = []
    for i in np.argsort(-flux):
        if len(found) == count:
            break
        near = np.hypot(x - x[i], y - y[i]) < 12
        column, row = np.rint([x[i], y[i]]).astype(int)
        cut = data[max(0, row - 7) : row + 8, max(0, column - 7) : column + 8]
        if (
            radius[i] > 0.2
            or flux[near].sum() > 1.1 * flux[i]
            or cut.shape != (15, 15)
            or not np.isfinite(cut).all()
        ):
            continue
        cut = cut - np.median(cut)
        dy, dx = np.mgrid[row - 7 - y[i] : row + 7.5 - y[i], column - 7 - x[i] : column + 7.5 - x[i]]
        u = v = 0.0
        for _ in range(40):
            light = cut * np.exp(-((dx - u) ** 2 + (dy - v) ** 2) / (2 * 1.7**2))
            u, v = (light * dx).sum() / light.sum(), (light * dy).sum() / light.sum()
        found.append((u, v))
    return np.array(found).reshape(-1, 2)
