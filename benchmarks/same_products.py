"""Show that two versions of drizzleflow make the same products from the same exposures.

    python benchmarks/same_products.py make FOLDER --checkout OLD --name before
    python benchmarks/same_products.py make FOLDER --checkout NEW --name after
    python benchmarks/same_products.py compare FOLDER before after

``make`` simulates the exposures once (FOLDER/data) and runs the workflow of a checkout on them, in the ways
of `RUNS`; ``compare`` reads both sets of output folders and names every file that differs. Pixels and tables
must be equal bit by bit, headers card by card. Left out are the PROV* cards, which hash the code, the
CHECKSUM over them, and what is made to differ between two runs: records, logs, times, the report and the
provenance.
"""

import argparse
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import yaml
from astropy.io import fits

SIZE = ["--exposures", "4", "--shape", "300", "320"]
#: name -> (options of the simulation, configuration)
RUNS = {
    "default": (["--flavour", "jwst"], {}),
    "jwst": (["--flavour", "jwst"], {"preset": "jwst", "save_intermediate_results": True}),
    "hst": (["--flavour", "hst"], {"preset": "hst", "crmask": {"corr": True}}),
    "roman": (["--flavour", "roman"], {}),
    "simple": (["--flavour", "simple"], {"skymatch": {"skystat": "median"}}),
    "bands": (
        ["--flavour", "jwst"],
        {"mosaic": {"bands": 3, "propagate_dq": True, "weight_type": "ivm-sky"}},
    ),
    "aligned": (
        ["--flavour", "jwst", "--dither", "0", "--roll", "0"],
        {"single_drizzle": {"resample_data": False}},
    ),
}
#: not products, or made to differ: by the name of a file or of a folder above it
LEFT_OUT = ("record", "log", "benchmark", "report.html", "provenance.json", ".plan.json", ".lock", ".refused")
#: cards that hash the code, alone or over the header that they stand in
HASHED = re.compile("PROV|CHECKSUM")


def simulate(folder: Path, options) -> Path:
    """The association of simulated exposures in `folder`, made where it is missing."""
    if not folder.exists():
        command = [sys.executable, "-m", "drizzleflow.simulate", folder, *SIZE, *options]
        subprocess.run([str(part) for part in command], check=True, stdout=subprocess.DEVNULL)
    return next(
        path for path in sorted(folder.iterdir()) if re.search(r"(asn\.json|\.csv|_asn\.fits)$", path.name)
    )


def make(folder: Path, checkout: Path, name: str, cores: int) -> None:
    """Run the workflow of `checkout` on the exposures in `folder`, once for each of `RUNS`."""
    env = {**os.environ, "PYTHONPATH": str(checkout / "scripts"), "OPENBLAS_NUM_THREADS": "1"}
    for run, (options, settings) in RUNS.items():
        association = simulate(folder / "data" / "-".join(options).strip("-"), options)
        work = folder / name / run
        work.mkdir(parents=True, exist_ok=True)
        settings = {**settings, "associations": os.path.relpath(association, work)}
        (work / "my.yaml").write_text(yaml.safe_dump(settings))
        command = [
            sys.executable,
            "-m",
            "snakemake",
            "--cores",
            str(cores),
            "--quiet",
            "all",
            "--configfile",
            "my.yaml",
        ]
        command += [
            "--snakefile",
            str(checkout / "Snakefile"),
            "--workflow-profile",
            str(checkout / "profiles/default"),
        ]
        subprocess.run(command, cwd=work, env=env, check=True)


def products(folder: Path) -> dict[str, Path]:
    """Path below `folder` -> file, of the products."""
    files = {str(path.relative_to(folder)): path for path in sorted(folder.rglob("*")) if path.is_file()}
    return {
        name: path
        for name, path in files.items()
        if not set(name.split("/")) & set(LEFT_OUT) and ".snakemake" not in name
    }


def cards(header) -> list[tuple]:
    return [(c.keyword, repr(c.value), c.comment) for c in header.cards if not HASHED.match(c.keyword)]


def same_bits(one, other) -> bool:
    if one is None or other is None:
        return one is other
    one, other = np.asarray(one), np.asarray(other)
    return one.dtype == other.dtype and one.shape == other.shape and one.tobytes() == other.tobytes()


def differences(one: Path, other: Path) -> list[str]:
    """What differs between two files, a line each."""
    if one.suffix == ".fits":
        with fits.open(one) as a, fits.open(other) as b:
            if [hdu.name for hdu in a] != [hdu.name for hdu in b]:
                return [f"extensions {[hdu.name for hdu in a]} and {[hdu.name for hdu in b]}"]
            found = []
            for first, second in zip(a, b, strict=True):
                changed = set(cards(first.header)) ^ set(cards(second.header))
                if changed or cards(first.header) != cards(second.header):
                    found.append(f"{first.name}: cards {sorted(changed) or 'in another order'}")
                if not same_bits(first.data, second.data):
                    found.append(f"{first.name}: data")
            return found
    if one.suffix == ".npz":
        with np.load(one) as a, np.load(other) as b:
            if sorted(a.files) != sorted(b.files):
                return [f"arrays {sorted(set(a.files) ^ set(b.files))}"]
            return [f"array {key}" for key in a.files if not same_bits(a[key], b[key])]
    text, second = one.read_bytes(), other.read_bytes()
    if one.suffix == ".asdf":  # what the PROV* cards say in FITS files
        text, second = (
            re.sub(rb"((code|settings)_sha256: )[0-9a-f]{64}", rb"\1", content) for content in (text, second)
        )
    return [] if text == second else ["bytes"]


def compare(folder: Path, before: str, after: str) -> int:
    """Print what differs between two sets of runs; how many files do."""
    faults = 0
    for run in RUNS:
        a, b = (products(folder / name / run) for name in (before, after))
        for side, lost in ((before, sorted(b.keys() - a.keys())), (after, sorted(a.keys() - b.keys()))):
            faults += len(lost)
            if lost:
                print(f"{run}: {len(lost)} files are not in {side}: {', '.join(lost[:3])} ...")
        both = sorted(a.keys() & b.keys())
        for name in both:
            found = differences(a[name], b[name])
            faults += bool(found)
            for line in found:
                print(f"{run}: {name}: {line}")
        print(f"{run}: {len(both)} files compared")
    print(f"{faults} files differ")
    return faults


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    commands = parser.add_subparsers(dest="command", required=True)
    one = commands.add_parser("make", help="run the workflow of a checkout")
    one.add_argument("folder", type=Path)
    one.add_argument("--checkout", type=Path, default=Path(__file__).resolve().parents[1])
    one.add_argument("--name", default="after", help="of this set of runs")
    one.add_argument("--cores", type=int, default=2)
    two = commands.add_parser("compare", help="name the products that differ")
    two.add_argument("folder", type=Path)
    two.add_argument("before")
    two.add_argument("after")
    given = parser.parse_args()
    if given.command == "make":
        make(given.folder.resolve(), given.checkout.resolve(), given.name, given.cores)
        return 0
    return 1 if compare(given.folder, given.before, given.after) else 0


if __name__ == "__main__":
    raise SystemExit(main())
