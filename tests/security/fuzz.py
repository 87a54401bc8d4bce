"""Coverage-guided fuzzing: ``python tests/security/fuzz.py association|config|fits|asdf --seconds N``.

Needs ``pip install atheris`` (Linux, not among the project's requirements). The seeds are the corpus: its
files as they are when a case has spoiled them. Whatever comes in must be read, or refused with an
`InputError` of one line; anything else ends the run, and the input is left in ``{work}/crash-*``. A crash
becomes a case of the corpus.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import sys
import tempfile
import warnings
from pathlib import Path

import atheris

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parents[1] / "scripts")]

with atheris.instrument_imports(include=["drizzleflow"], enable_loader_override=False):
    from drizzleflow.errors import InputError
    from drizzleflow.plan import association, config

from bench import PRESETS, Bench, defaults, examine, one_line  # noqa: E402
from corpus import every  # noqa: E402

WORK = Path(tempfile.mkdtemp(prefix="fuzz-", dir="/dev/shm" if os.path.isdir("/dev/shm") else None))
LARGEST = 1 << 20  #: pixels of a frame that is read whole


def on_association(content: bytes) -> None:
    path = WORK / ("table.csv", "table.json", "t_asn.fits")[content[0] % 3 if content else 0]
    path.write_bytes(content[1:])
    try:
        for table in association.read(path):
            association.check(table)
    except InputError as error:
        one_line(error)


def on_config(content: bytes) -> None:
    path = WORK / "user.yaml"
    path.write_bytes(content)
    try:
        resolved = config.resolve(defaults(), config.load(path), PRESETS)
        json.dumps(resolved, allow_nan=False)
    except InputError as error:
        one_line(error)


def on_fits(content: bytes) -> None:
    examine(content, WORK / "image.fits", LARGEST)


def on_asdf(content: bytes) -> None:
    examine(content, WORK / "image_cal.asdf", LARGEST)


def seeds(target: str, folder: Path) -> None:
    """One file for each case of the corpus that this target can read."""
    flavours = {
        "fits": ("simple", "hst", "jwst"),
        "asdf": ("roman",),
        "association": ("simple", "hst"),
        "config": ("simple",),
    }[target]
    for number, case in enumerate(every().values()):
        if case.flavour not in flavours or (target == "config") != (case.stage == "config"):
            continue
        bench = Bench(WORK / "bench", case.flavour)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            case.spoil(bench)
        try:
            if target == "config":
                import yaml

                content = yaml.safe_dump(bench.settings).encode()
            elif target == "association":
                kind = {".csv": b"\0", ".json": b"\1"}.get(bench.asn.suffix, b"\2")
                content = kind + bench.asn.read_bytes() if bench.asn.is_file() else b""
            else:
                content = bench.bad.read_bytes() if bench.bad.is_file() else b""
        except (RecursionError, ValueError, OSError):
            content = b""
        if 0 < len(content) < 200_000:
            (folder / f"seed-{number:04d}").write_bytes(content)
        _clear(WORK / "bench")


def _clear(folder: Path) -> None:
    import shutil

    shutil.rmtree(folder)


WORDS = {
    "fits": [
        "SIMPLE  =",
        "XTENSION=",
        "BITPIX  =",
        "NAXIS   =",
        "NAXIS1  =",
        "PCOUNT  =",
        "EXTNAME =",
        "EXTVER  =",
        "'SCI     '",
        "'ERR     '",
        "'DQ      '",
        "END     ",
        "CTYPE1  =",
        "CRVAL1  =",
        "CD1_1   =",
        "A_ORDER =",
        "BSCALE  =",
        "BZERO   =",
        "ZIMAGE  =",
        "EXPTIME =",
        "TELESCOP= 'JWST'",
    ],
    "asdf": [
        "roman:",
        "data:",
        "meta:",
        "!core/ndarray-1.1.0",
        "source:",
        "datatype:",
        "shape:",
        "strides:",
        "offset:",
        "&a",
        "*a",
        "zlib",
        "bzp2",
        "lz4",
    ],
    "association": [
        "products",
        "members",
        "expname",
        "exptype",
        "science",
        "group_id",
        "path",
        "member",
        "product",
        "dq",
        "ivar",
        "flux_scale",
    ],
    "config": [
        "crmask:",
        "snr:",
        "grid:",
        "overrides:",
        "set:",
        "simple:",
        "skymatch:",
        "median:",
        "good_bits:",
        "&a",
        "*a",
        "!!",
    ],
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("target", choices=list(WORDS))
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument(
        "--work", type=Path, default=Path("fuzzing"), help="grown inputs and crashes (%(default)s)"
    )
    asked = parser.parse_args()
    grown, first = asked.work / asked.target, WORK / "seeds"
    grown.mkdir(parents=True, exist_ok=True)
    first.mkdir()
    seeds(asked.target, first)
    words = WORK / "words"
    words.write_text(
        "".join(
            '"{}"\n'.format(word.replace("\\", "\\\\").replace('"', '\\"')) for word in WORDS[asked.target]
        )
    )
    warnings.simplefilter("ignore")
    resource.setrlimit(resource.RLIMIT_AS, (6 << 30, 6 << 30))  # a header's claims must not be believed
    options = [
        sys.argv[0],
        f"-max_total_time={asked.seconds}",
        "-timeout=30",
        "-rss_limit_mb=3000",
        "-max_len=200000",
        f"-dict={words}",
        f"-artifact_prefix={asked.work}/{asked.target}-",
        "-print_final_stats=1",
        str(grown),
        str(first),
    ]
    atheris.Setup(
        options,
        {"association": on_association, "config": on_config, "fits": on_fits, "asdf": on_asdf}[asked.target],
    )
    atheris.Fuzz()


if __name__ == "__main__":
    main()
