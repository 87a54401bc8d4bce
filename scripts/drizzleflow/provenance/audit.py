"""The audit tests whether the files of an output folder are still those that the jobs made.

    python -m drizzleflow.audit OUTDIR

It trusts only the bytes: it computes every hash in the records and every checksum in a FITS product again,
and reads each file once. It changes nothing. Which files a run would make again is known to the workflow
alone; `snakemake audit` asks it.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor

from drizzleflow.errors import InputError
from drizzleflow.plan import roads
from drizzleflow.provenance.evidence import Evidence, Finding, key_of

logger = logging.getLogger("drizzleflow")

#: paths below the output folder of products that every run removes after use
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
        Outputs that the workflow itself may have removed; the audit does not report them as missing. Patterns
        are those of `fnmatch`, applied to the path from `outdir`; ``*`` also matches ``/``.
    planned : function, optional
        Returns every file of a complete run, each with the reason why a run would make it again: None if it
        would not, "" if the file itself gives no reason. It is called after the files have been read.
    code : hashes
        Hashes of the workflow's present code; they tell changed code from changed settings.
    threads : int
        Number of files that are read at the same time.

    Returns
    -------
    list of Finding
        One for each file, sorted by path; empty if nothing is wrong. ``missing``: a recorded file does not
        exist, or a planned one was never made. ``altered``: the bytes of a product or raw input have changed,
        or its FITS checksums are wrong. ``stale``: a run would make the file again, or a provenance file is
        older than a record that it describes. ``unknown``: no record names the file. Two kinds are harmless:
        ``unplanned``, intact files of another configuration; ``versions``, the jobs ran with other versions
        of packages than are installed here.

    Raises
    ------
    InputError
        The folder does not exist, or no record lies in it.
    """
    evidence = Evidence(outdir, temporary)
    with ThreadPoolExecutor(threads) as pool:
        # large files come first, so that no thread still reads one when the others have finished
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
    """Run the command line: print the findings, one a line, and return 1 if any is a fault, otherwise 0."""
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
    """Call `say` with a line for each finding and with the verdict; return 1 if any is a fault, else 0."""
    for finding in findings:
        say(str(finding))
    faults = sum(not finding.harmless for finding in findings)
    say(
        f"audit: {faults} finding{'s'[: faults > 1]}"
        if faults
        else "audit: every file is what its record says"
    )
    return 1 if faults else 0
