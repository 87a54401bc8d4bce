"""Are the files of an output folder still those that the jobs made?

    python -m drizzleflow.audit OUTDIR

Nothing is trusted but the bytes: every hash in the records and every checksum in a FITS product is computed
again, in one reading of each file. The audit only reads. What a run would make again, only the workflow
knows: `snakemake audit` tells it.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor

from drizzleflow.errors import InputError
from drizzleflow.plan import roads
from drizzleflow.provenance.evidence import Evidence, Finding, key_of

logger = logging.getLogger("drizzleflow")

#: products that every run removes when they have been used, below the output folder
TEMPORARY = tuple(f"*/{pattern}" for pattern in roads.temporary(intermediate=False))


def audit(
    outdir,
    *,
    temporary: Iterable[str] = TEMPORARY,
    planned: Callable[[], Mapping[str, str | None]] | None = None,
    code: Iterable[str] = (),
    threads: int = 1,
) -> list[Finding]:
    """Compare an output folder with the records of the jobs that filled it.

    Parameters
    ----------
    outdir : path
        The output folder; records are the JSON files in ``{product}/record`` below it. Paths in records are
        taken from the working folder, as at the time of the run.
    temporary : patterns
        Outputs that the workflow itself may have removed: their absence is no finding. Patterns are
        `fnmatch`'s, on the path from `outdir`; ``*`` also matches ``/``.
    planned : function, optional
        Gives every file that a run would have, with the reason for which it would make it again: None where
        it would not, "" where there is none of its own. Called when the files have been read.
    code : hashes
        Those of the workflow's present code: tells changed code from changed settings.
    threads : int
        Files that are read at the same time.

    Returns
    -------
    list of Finding
        Sorted by path, one a file; empty when all is well. ``missing``: a recorded file is gone, or a planned
        one was never made. ``altered``: its bytes are others, or its FITS checksums do not fit them; raw
        inputs included. ``stale``: a run would make it again, or a provenance file is older than a record
        that it describes. ``unknown``: no record knows the file. Harmless: ``unplanned``, healthy files of
        another configuration; ``versions``, other packages than installed here.

    Raises
    ------
    InputError
        The folder does not exist, or no record lies in it.
    """
    evidence = Evidence(outdir, temporary)
    with ThreadPoolExecutor(threads) as pool:
        # large files first, so that no thread is left with one at the end
        faults = {key_of(f.path): f for f in pool.map(evidence.check, evidence.by_size()) if f}
    for path in evidence.found.values():
        if not evidence.knows(path):
            faults.setdefault(key_of(path), evidence.stranger(path))
    notes = evidence.versions()
    if planned is not None:
        plan = {key_of(path): (path, reason) for path, reason in planned().items()}
        for fault in evidence.stale(plan, set(code)):
            faults.setdefault(key_of(fault.path), fault)
        notes += evidence.unplanned(plan, faults)
    logger.info(
        "%d records, %d files compared, %d findings", len(evidence.jobs), len(evidence.by_size()), len(faults)
    )
    return sorted([*faults.values(), *notes])


def main(arguments=None) -> int:
    """The command line: prints the findings, one a line; 1 if any is a fault."""
    import argparse
    import sys

    parser = argparse.ArgumentParser(prog="python -m drizzleflow.audit", description=__doc__.split("\n")[0])
    parser.add_argument("outdir", help="the output folder, from the working folder of its run")
    parser.add_argument(
        "--temporary",
        action="append",
        default=list(TEMPORARY),
        metavar="PATTERN",
        help="products that may be gone, such as '*/single/*' and '*_median.fits'",
    )
    parser.add_argument("--threads", type=int, default=2)
    chosen = parser.parse_args(arguments)
    try:
        return tell(audit(chosen.outdir, temporary=chosen.temporary, threads=chosen.threads), print)
    except InputError as error:
        print(f"audit: {error}", file=sys.stderr)
        return 1


def tell(findings: list[Finding], say) -> int:
    """Call `say` with a line for each finding and the verdict; 1 if any is a fault, otherwise 0."""
    for finding in findings:
        say(str(finding))
    faults = sum(not finding.harmless for finding in findings)
    say(
        f"audit: {faults} finding{'s'[: faults > 1]}"
        if faults
        else "audit: every file is what its record says"
    )
    return 1 if faults else 0
