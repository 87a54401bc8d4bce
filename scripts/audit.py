"""audit: is every file of the output folder what the jobs' records say? Names those that are not; fails if any."""

import sys

from drizzleflow.audit import audit
from drizzleflow.errors import InputError

with open(snakemake.log[0], "w", encoding="utf-8") as log:
    try:
        found = audit(
            snakemake.params.outdir, temporary=snakemake.params.temporary, ignore=(".lock", ".plan.json", "audit.log", "*/log/*", "*/benchmark/*")
        )
    except InputError as error:
        log.write(f"audit: {error}\n")
        raise SystemExit(f"audit: {error}") from None
    for finding in found:
        print(finding, file=sys.stderr)
        log.write(f"{finding}\n")
    verdict = f"audit: {len(found)} findings" if found else "audit: every file is what its record says"
    print(verdict, file=sys.stderr)
    log.write(verdict + "\n")
sys.exit(1 if found else 0)
