"""members: the table of a product's science members, or the message of an association that cannot be used.

Outputs: members.csv (member, path, exptype, group, then what the plan read from the headers).
"""

import csv
import io

from drizzleflow.errors import InputError
from drizzleflow.io.files import write_text
from drizzleflow.jobs import record


def main(job):
    opts = job.options
    if opts["error"]:
        raise InputError(opts["error"])
    for path in job.input:
        job.input_hash(path)
    text = io.StringIO()
    table = csv.DictWriter(text, fieldnames=list(opts["members"][0]), lineterminator="\n")
    table.writeheader()
    table.writerows(opts["members"])
    write_text(job.output.table, text.getvalue())
    job.statistics["members"] = len(opts["members"])
    for other in opts["others"]:
        job.log("%s: exptype %s takes no part in the imaging road", other["path"], other["exptype"])


if __name__ == "__main__":
    with record.job(snakemake) as job:
        main(job)
