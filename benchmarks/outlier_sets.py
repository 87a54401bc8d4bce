"""Of `benchmarks/outliers.py`: the simulated sets, the methods, and running one on the other."""

import contextlib
import hashlib
import json
import os
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from astropy.io import fits

from drizzleflow.plan.codehash import code_hash
from drizzleflow.simulate.demo import simulated

REPO = Path(__file__).resolve().parents[1]
FIELD = {"detectors": 1, "cosmic_rays": 0.005, "fwhm": 2.0, "photons_in_err": False}
HARD = {"fwhm": 1.4, "wcs_error": 0.1}
LOW = {"low_pixels": 0.001, "low_exposures": 1}
#: kind of set -> what differs from `FIELD`; arguments of `drizzleflow.simulate.simulate`
KINDS = {
    "base": {},
    "hard": HARD,
    "galaxies": {"bright_galaxies": 3.0},
    "dense": {"cosmic_rays": 0.03},
    "low": LOW,
    "lowclusters": LOW | {"low_clusters": 1.0},
    "depth2": {"depths": [1, 2]},
    "depth5": {"depths": [1, 5]},
    "photons": {"photons_in_err": True},
    "hardphotons": HARD | {"photons_in_err": True},
    "calm": {"photons_in_err": True, "cosmic_rays": 0.0},
    "hst": {"flavour": "hst", "fwhm": None, "photons_in_err": True, "cte": 0.1},
    "roman": {"flavour": "roman", "fwhm": None, "photons_in_err": True},
    "simple": {"flavour": "simple", "fwhm": None, "photons_in_err": True},
}
#: arcsec a pixel
SCALES = {"jwst": 0.0311, "hst": 0.05, "roman": 0.11, "simple": 0.27}
#: our configurations
OURS = {
    "default": {},
    # our default before docs/outliers.md's test: jwst's thresholds against a better template
    "median": {"crmask": {"reference": "median", "snr": "5.0 4.0", "scale": "1.2 0.7", "noise": "err"}},
    "jwst": {"preset": "jwst"},
    "hst": {"preset": "hst"},
}
#: of them, one for files of one flavour only
ONLY = {"hst": "hst"}
#: other programs -> the flavour that they read
PEERS = {"jwst-3.0.0": "jwst", "astrodrizzle": "hst"}
#: scripts whose code (and all that they import) makes our masks
STEPS = (
    "members",
    "footprint",
    "grid",
    "sky_overlaps",
    "skymatch",
    "static_mask",
    "single_drizzle",
    "median",
    "crmask",
)


@dataclass(frozen=True)
class Set:
    """One simulated set of exposures."""

    kind: str
    exposures: int
    seed: int
    side: int  #: pixels, a frame's rows and columns
    density: float = 1.0  #: of stars and galaxies: 1 is 250 and 300 a million pixels
    dither: float = 0.05  #: radius of the dither pattern, in units of the side

    @property
    def name(self):
        name = f"{self.kind}-n{self.exposures}-s{self.seed}-{self.side}"
        name += "" if self.density == 1 else f"-density{self.density:g}"
        return name + ("" if self.dither == 0.05 else f"-dither{self.dither:g}")

    @property
    def parameters(self) -> dict:
        found = (
            FIELD | KINDS[self.kind] | {"exposures": self.exposures, "seed": self.seed, "scene_truth": True}
        )
        # an HST file has two chips
        rows = self.side // 2 if found.get("flavour") == "hst" else self.side
        found |= {"stars": 250.0 * self.density, "galaxies": 300.0 * self.density, "shape": [rows, self.side]}
        return found | (
            {} if self.dither == 0.05 else {"dither": self.dither * self.side * SCALES[self.flavour]}
        )

    @property
    def flavour(self):
        return KINDS[self.kind].get("flavour", "jwst")

    def folder(self, work: Path) -> Path:
        return work / self.name

    def truth(self, work: Path) -> Path:
        return self.folder(work) / "exposures" / "truth"


def simulate(work: Path, one: Set) -> dict:
    """Make a set where it is missing or made otherwise; absolute paths of its association and members."""
    folder = one.folder(work) / "exposures"
    folder.mkdir(parents=True, exist_ok=True)
    with contextlib.redirect_stdout(sys.stderr):
        made = simulated(folder, one.parameters)
    return {
        "association": folder / made["associations"][0],
        "members": [folder / path for path in made["members"]],
        "product": made["products"][0],
    }


def digest(paths) -> str:
    """SHA-256 of some files' contents, in order."""
    total = hashlib.sha256()
    for path in paths:
        with open(path, "rb") as file:
            total.update(hashlib.file_digest(file, "sha256").digest())
    return total.hexdigest()


def run(work: Path, one: Set, method: str, options) -> Path | None:
    """Run a method on a set, which is simulated where it is missing; see `run_on`."""
    return run_on(one.folder(work), simulate(work, one), one.flavour, method, options)


def run_on(home: Path, made: dict, flavour: str, method: str, options) -> Path | None:
    """Run a method on exposures unless its masks are in `home`; the folder of ``masks.npz`` and ``run.json``.

    None where the method does not read such files or is not installed. ``masks.npz``: bool (ny, nx), True
    flagged, named ``{member}.{extver}``.
    """
    if (PEERS | ONLY).get(method, flavour) != flavour:
        return None
    folder = home / "runs" / method
    wanted = {"exposures": digest(made["members"])}
    if method in PEERS:
        if not interpreter(method, options).exists():
            print(
                f"{method}: no interpreter {interpreter(method, options)}: run `make parity`", file=sys.stderr
            )
            return None
        wanted["script"] = digest([peer_script(method)])
    else:
        wanted["config"] = options.configs[method]
        wanted["code"] = [code_hash(REPO / "scripts" / f"{step}.py", REPO / "scripts") for step in STEPS]
        wanted["code"] = hashlib.sha256("".join(wanted["code"]).encode()).hexdigest()
    stamp = folder / "run.json"
    if stamp.exists():
        found = json.loads(stamp.read_text())
        if all(found.get(key) == value for key, value in wanted.items()):
            return folder
    shutil.rmtree(folder, ignore_errors=True)
    place = folder / "work"
    place.mkdir(parents=True)
    runner = {"jwst-3.0.0": run_jwst, "astrodrizzle": run_astrodrizzle}.get(method, run_ours)
    print(f"{home.name}: {method}", file=sys.stderr, flush=True)
    start = time.perf_counter()
    masks = runner(place, made, method, options)
    seconds = round(time.perf_counter() - start, 1)
    np.savez_compressed(folder / "masks.npz", **{f"{m}.{v}": mask for (m, v), mask in masks.items()})
    if not options.keep:
        shutil.rmtree(place)
    stamp.write_text(json.dumps(wanted | {"seconds": seconds}, indent=1) + "\n")
    return folder


def read_masks(folder: Path) -> dict:
    """{(member, EXTVER): mask} of a run."""
    with np.load(folder / "masks.npz") as file:
        return {(name.rpartition(".")[0], int(name.rpartition(".")[2])): file[name] for name in file.files}


def call(command, cwd, log: Path):
    """Run a command quietly; its last words where it fails."""
    environment = {**os.environ, "OPENBLAS_NUM_THREADS": "1"}
    environment["PYTHONPATH"] = os.pathsep.join(
        [str(REPO / "scripts"), *filter(None, [os.environ.get("PYTHONPATH")])]
    )
    words = [str(word) for word in command]
    with open(log, "w") as stream:
        done = subprocess.run(words, cwd=cwd, env=environment, stdout=stream, stderr=stream, check=False)
    if done.returncode:
        sys.exit(f"{' '.join(words)} failed with {done.returncode}:\n{log.read_text()[-4000:]}")


def workflow(place: Path, association: Path, config: dict, target: str, cores: int) -> Path:
    """Run our workflow up to a target in a folder; the folder of the only product."""
    settings = {
        "save_intermediate_results": False,
        **config,
        "associations": os.path.relpath(association, place),
    }
    (place / "run.yaml").write_text(json.dumps(settings))
    command = [sys.executable, "-m", "snakemake", target, "--cores", cores, "--configfile", "run.yaml"]
    command += ["--snakefile", REPO / "Snakefile", "--workflow-profile", REPO / "profiles" / "default"]
    call(command, place, place / "snakemake.log")
    (product,) = (path for path in (place / "results").iterdir() if (path / "record").is_dir())
    return product


def run_ours(place, made, method, options):
    product = workflow(place, made["association"], options.configs[method], "crmask", options.cores)
    masks = {}
    for path in sorted((product / "crmask").glob("*_crmask.fits")):
        with fits.open(path) as hdus:
            for hdu in hdus:
                if hdu.name == "CRMASK":
                    masks[path.name.removesuffix("_crmask.fits"), hdu.ver] = hdu.data != 0
    return masks


def interpreter(method, options) -> Path:
    return {"jwst-3.0.0": options.jwst, "astrodrizzle": options.drizzlepac}[method].absolute()


def peer_script(method) -> Path:
    name = {"jwst-3.0.0": "peer_jwst.py", "astrodrizzle": "peer_drizzlepac.py"}[method]
    return REPO / "tests" / "parity" / name


def run_jwst(place, made, method, options):
    """jwst's skymatch and outlier_detection at their defaults."""
    command = [
        interpreter(method, options),
        peer_script(method),
        made["association"],
        place,
        "--no-crf",
        "--no-mosaic",
    ]
    call(command, place, place / "log.txt")
    with np.load(place / "masks.npz") as file:
        return {(name, 1): file[name] for name in file.files}


def run_astrodrizzle(place, made, method, options):
    """AstroDrizzle at its defaults; in its masks 1 is good."""
    command = [
        interpreter(method, options),
        peer_script(method),
        made["members"][0].parent,
        place,
        "--only",
        "defaults",
    ]
    call(command, place, place / "log.txt")
    summary = json.loads((place / "defaults" / "summary.json").read_text())
    if summary["error"]:
        sys.exit(f"AstroDrizzle: {summary['error']}; see {place}")
    masks = {}
    for path in sorted((place / "defaults").glob("*_sci?_crmask.fits")):
        member, _, rest = path.name.rpartition("_sci")
        masks[member, int(rest[0])] = fits.getdata(path) == 0
    return masks
