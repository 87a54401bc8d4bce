"""verdict: fail where the checks found something (checks.level: error); the products are all there.

Input: checks.json.
"""

from drizzleflow.errors import InputError
from drizzleflow.jobs import record
from drizzleflow.report import checks


def main(job):
    found = checks.sentences_in(job.input.checks)
    if found:
        more = f" (and {len(found) - 1} more)" if len(found) > 1 else ""
        raise InputError(
            f"{job.input.checks}: {found[0]}{more}; the products are all there (checks.level: error)"
        )


if __name__ == "__main__":
    with record.job(snakemake) as job:
        main(job)
