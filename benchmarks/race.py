"""The race: the whole workflow against jwst's imaging steps, on the same simulated exposures.

    python benchmarks/race.py --exposures 8 --shape 2048 2048 --pairs 3 --peer .venv-jwst/bin/python

Ours is ``snakemake --cores 2`` from a clean working folder, orchestration included, until the last product is
written. The peer is ``tests/parity/peer_jwst.py``: skymatch, outlier detection and resampling in one process,
at its default and at ``pixmap_stepsize=10, pixmap_order=3``. Wall time is that of the whole command, start of
the interpreter and imports included, in both. OPENBLAS_NUM_THREADS=1 in both. Runs alternate (ours, peer,
ours, peer, ...), so that a slow minute of the machine meets both. Peak RSS: the largest sum over the
processes of a run, sampled every 0.1 s (a page that they share counts in each: for ours an upper bound).
"""

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

REPO = Path(__file__).resolve().parents[1]
#: name -> options of peer_jwst.py
PEERS = {"default": [], "tuned": ["--pixmap-stepsize", "10", "--pixmap-order", "3"]}
#: name -> configuration
OURS = {"default": {}, "jwst": {"preset": "jwst"}}
PAGE = os.sysconf("SC_PAGE_SIZE")


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--exposures", type=int, default=8)
    parser.add_argument("--detectors", type=int, default=1)
    parser.add_argument("--shape", type=int, nargs=2, default=(2048, 2048), metavar=("NY", "NX"))
    parser.add_argument("--pairs", type=int, default=3, help="runs of each")
    parser.add_argument("--cores", type=int, default=2)
    parser.add_argument(
        "--peer", type=Path, default=REPO / ".venv-jwst" / "bin" / "python", help="the peer's interpreter"
    )
    parser.add_argument("--peers", nargs="*", choices=PEERS, default=list(PEERS))
    parser.add_argument("--ours", nargs="*", choices=OURS, default=["default"], help="our configurations")
    parser.add_argument(
        "--work", type=Path, help="folder for input and runs (default: a temporary one, removed)"
    )
    parser.add_argument("--association", type=Path, help="use this association, simulate nothing")
    parser.add_argument(
        "--set", type=json.loads, default={}, metavar="JSON", help="configuration added to ours"
    )
    parser.add_argument("--output", type=Path, help="write all figures there, as JSON")
    return parser.parse_args()


def processes():
    """pid -> (parent, resident pages) of every process of the machine."""
    table = {}
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            try:
                parent = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
                table[int(folder.name)] = parent, int((folder / "statm").read_text().split()[1])
            except OSError:  # it has just ended
                continue
    return table


def resident(root):
    """Sum of the resident memory (bytes) of a process and its descendants."""
    table = processes()
    children = {}
    for pid, (parent, _) in table.items():
        children.setdefault(parent, []).append(pid)
    total, stack = 0, [root]
    while stack:
        pid = stack.pop()
        total += table.get(pid, (0, 0))[1]
        stack += children.get(pid, [])
    return total * PAGE


def timed(command, cwd, log):
    """Run a command; its wall time (s) and its peak of resident memory (MiB)."""
    environment = {**os.environ, "OPENBLAS_NUM_THREADS": "1"}
    peak = 0
    with open(log, "w") as stream:
        begin = time.perf_counter()
        process = subprocess.Popen(
            [str(word) for word in command], cwd=cwd, env=environment, stdout=stream, stderr=stream
        )
        while True:
            try:
                process.wait(0.1)
                break
            except subprocess.TimeoutExpired:
                peak = max(peak, resident(process.pid))
        wall = time.perf_counter() - begin
    if process.returncode:
        words = " ".join(map(str, command))
        sys.exit(f"{words} failed with {process.returncode}:\n{Path(log).read_text()[-4000:]}")
    return {"wall": wall, "rss": peak / 2**20}


def run_ours(work, association, config, args):
    """One run of the workflow in a clean folder; the input's pages are warm, as they are for the peer."""
    folder = work / "ours"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    (folder / "run.yaml").write_text(json.dumps({"associations": str(association), **config, **args.set}))
    snakemake = [Path(sys.executable).parent / "snakemake", "--cores", args.cores, "--configfile", "run.yaml"]
    options = ["--snakefile", REPO / "Snakefile", "--profile", REPO / "profiles" / "default"]
    return timed([*snakemake, *options], folder, work / "ours.log")


def run_peer(work, association, options, args):
    folder = work / "peer"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    script = REPO / "tests" / "parity" / "peer_jwst.py"
    found = timed([args.peer.absolute(), script, association, folder, *options], folder, work / "peer.log")
    found["steps"] = json.loads((folder / "timings.json").read_text())
    return found


def simulate(work, args):
    folder = work / "input"
    if not list(folder.glob("*.json")):
        size = ["--exposures", args.exposures, "--detectors", args.detectors, "--shape", *args.shape]
        command = [sys.executable, "-m", "drizzleflow.simulate", folder, "--flavour", "jwst", *size]
        subprocess.run([str(word) for word in command], check=True, stdout=subprocess.DEVNULL)
    (association,) = folder.glob("*.json")
    return association.resolve()


def median(runs, key):
    return statistics.median(run[key] for run in runs)


def race(work, args):
    association = args.association.resolve() if args.association else simulate(work, args)
    members = [Path(m["expname"]) for m in json.loads(association.read_text())["products"][0]["members"]]
    for path in members:  # warm the page cache for whoever runs first
        (association.parent / path).read_bytes()
    runners = {f"ours {name}": (run_ours, OURS[name]) for name in args.ours}
    runners |= {f"peer {name}": (run_peer, PEERS[name]) for name in args.peers}
    runs = {name: [] for name in runners}
    if (load := os.getloadavg()[0]) > 0.5:
        print(f"the machine is not idle (load {load:.1f}): the times say little")
    print(f"{len(members)} members, {args.cores} cores for ours; wall s, peak RSS MiB")
    for number in range(args.pairs):
        for name, (runner, how) in runners.items():
            found = runner(work, association, how, args)
            runs[name].append(found)
            print(f"{number + 1}  {name:<14s}{found['wall']:8.2f}{found['rss']:9.0f}", flush=True)
    print("median")
    for name, found in runs.items():
        print(f"   {name:<14s}{median(found, 'wall'):8.2f}{median(found, 'rss'):9.0f}")
    for ours in (name for name in runs if name.startswith("ours")):
        for peer in (name for name in runs if name.startswith("peer")):
            ratios = [a["wall"] / b["wall"] for a, b in zip(runs[ours], runs[peer], strict=True)]
            bare = statistics.median(run["steps"]["total"] for run in runs[peer])
            pairs = ", ".join(f"{ratio:.3f}" for ratio in ratios)
            print(f"   {ours} / {peer}: {statistics.median(ratios):.3f}  (pairs {pairs};", end=" ")
            print(f"the peer without its imports {bare:.2f} s)")
    if args.output:
        args.output.write_text(
            json.dumps({"members": len(members), "shape": args.shape, "runs": runs}, indent=1) + "\n"
        )


def main():
    args = arguments()
    if args.peers and not args.peer.exists():
        sys.exit(
            f"no interpreter of the peer at {args.peer}: run `make parity`, or give --peer or no --peers"
        )
    if args.work:
        args.work.mkdir(parents=True, exist_ok=True)
        race(args.work.resolve(), args)
    else:
        with tempfile.TemporaryDirectory(prefix="race-") as folder:
            race(Path(folder), args)


if __name__ == "__main__":
    main()
