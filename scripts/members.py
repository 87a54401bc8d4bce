"""members: write the table of a product's science members, or report an unusable association.

Output: members.csv, one row for each member: what the association says, then what the plan read from the
headers.
"""

from drizzleflow.errors import InputError
from drizzleflow.io import light_tables
from drizzleflow.io.columns import MEMBERS
from drizzleflow.jobs import record


def main(job):
    opts = job.options
    if opts["error"]:
        raise InputError(opts["error"])
    for path in job.input:
        job.input_hash(path)
    light_tables.write_named(job.output.table, MEMBERS, opts["members"])
    job.statistics["members"] = len(opts["members"])
    for other in opts["others"]:
        job.log("%s: exptype %s takes no part in the imaging road", other["path"], other["exptype"])


if __name__ == "__main__":
    with record.job(snakemake) as job:
        main(job)
