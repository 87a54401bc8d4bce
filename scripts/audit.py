"""audit: test every file of the output folder against the jobs' records and the configuration.

It lists the files that are not as they should be, and fails if there is any.
"""

import csv
import subprocess
import sys
import tempfile

import yaml

from drizzleflow.errors import InputError
from drizzleflow.jobs import guard
from drizzleflow.provenance.audit import audit, tell


def planned(process) -> dict:
    """Map each file to why a run would make it again, or None, from Snakemake's summary of a dry run."""
    table, said = process.communicate()
    if process.returncode:
        raise InputError(f"the dry run failed: {' '.join(said.split()[-60:])}")
    rows = csv.DictReader(table.split("\n"), delimiter="\t", quoting=csv.QUOTE_NONE)
    if not {"output_file", "status", "plan"} <= set(rows.fieldnames or ()):
        raise InputError(
            f"the dry run's summary has columns {rows.fieldnames}, expected output_file, status and plan"
        )
    plain = ("ok", "missing", "removed temp file")  # these tell the file's state, not a reason
    return {
        row["output_file"]: None
        if row["plan"] == "no update"
        else ""
        if row["status"] in plain
        else row["status"]
        for row in rows
    }


guard.follow()
params = snakemake.params
with open(snakemake.log[0], "w", encoding="utf-8") as log, tempfile.TemporaryDirectory() as folder:

    def say(line):
        print(line, file=sys.stderr)
        log.write(f"{line}\n")

    with open(f"{folder}/config.yaml", "w", encoding="utf-8") as file:
        yaml.safe_dump(params.config, file)
    command = [
        sys.executable,
        "-m",
        "snakemake",
        "all",
        "--snakefile",
        params.snakefile,
        "--configfile",
        file.name,
        "--cores",
        "1",
        "--nolock",
        "--summary",
    ]
    try:
        # Snakemake works out its plan while the files are read
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as dry_run:
            found = audit(
                params.outdir,
                temporary=params.temporary,
                planned=lambda: planned(dry_run),
                code=params.code,
                threads=snakemake.threads,
            )
        status = tell(found, say)
    except InputError as error:
        say(f"audit: {error}")
        status = 1
sys.exit(status)
