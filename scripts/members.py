"""members: write the table of a product's science members, or report an unusable association.

Output: members.csv, one row for each member: what the association says, then what the plan read from the
headers.
"""

import pandas as pd

from drizzleflow.errors import InputError
from drizzleflow.io import tables
from drizzleflow.jobs import record


def main(job):
    opts = job.options
    if opts["error"]:
        raise InputError(opts["error"])
    for path in job.input:
        job.input_hash(path)
    tables.write_members(pd.DataFrame(opts["members"]), job.output.table)
    job.statistics["members"] = len(opts["members"])
    for line in opts["left_out"]:
        job.log("%s", line)
    for other in opts["others"]:
        job.log("%s: exptype %s takes no part in the imaging road", other["path"], other["exptype"])


if __name__ == "__main__":
    with record.job(snakemake) as job:
        main(job)
