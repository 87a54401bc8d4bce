"""audit: is every file of the output folder what the jobs' records say, and what the configuration asks for?

Names those that are not; fails if there is any.
"""

import subprocess
import sys
import tempfile

import yaml

from drizzleflow import guard
from drizzleflow.audit import audit, tell
from drizzleflow.errors import InputError


def planned(process) -> dict:
    """File -> why a run would make it again, None where it would not; from Snakemake's summary of a dry run."""
    table, said = process.communicate()
    if process.returncode:
        raise InputError(f"the dry run failed: {said.strip().splitlines()[-1] if said.strip() else process.returncode}")
    lines = [line.split("\t") for line in table.splitlines() if line.count("\t") == 5]
    plain = ("ok", "missing", "removed temp file")  # of the file itself: not why
    return {
        path: None if plan == "no update" else "" if status in plain else status
        for path, _, _, _, status, plan in lines
        if path != "output_file"
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
        sys.executable, "-m", "snakemake", "all", "--snakefile", params.snakefile, "--configfile", file.name,
        "--cores", "1", "--nolock", "--summary",
    ]  # fmt: skip
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
