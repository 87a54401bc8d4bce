# What ties a run to the one before it: one at a time in an output folder, and what an earlier one left in doubt is made
# again. Snakemake does most of it by its marks on unfinished jobs; here is what it cannot see.
import base64
import fcntl
import os

from drizzleflow.jobs import guard, record as record_files, refusal

_held = None


def hold_output_folder():
    """One run at a time in an output folder: a kernel lock, which a killed run cannot leave behind."""
    global _held
    try:
        os.makedirs(OUT, exist_ok=True)
        _held = open(f"{OUT}/.lock", "w")
        fcntl.flock(_held, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise WorkflowError(f"another run is working in {OUT}; wait for it, or give this run another outdir")
    except OSError as error:
        raise WorkflowError(f"{error.filename}: {error.strerror}; the output folder has to be writable")


def another_run():
    """Whether a run is at work in the output folder now."""
    try:
        with open(f"{OUT}/.lock") as held:
            fcntl.flock(held, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:  # there has been none yet
        pass
    return False


NOTES = os.path.join(".snakemake", "metadata")  # Snakemake's notes on finished outputs, one a file
MARKS = os.path.join(".snakemake", "incomplete")  # and its marks on those that are not


def name_of_note(path):
    """Where below these folders the note on an output is: the path in base64, in pieces that a file system takes."""
    key = base64.urlsafe_b64encode(path.encode()).decode()
    *folders, name = [key[i : i + 254] for i in range(0, len(key), 254)]
    return os.path.join(*(f"@{part}" for part in folders), name)


def whole(path, end=b"}"):
    """Whether a JSON object was written to its end."""
    with open(path, "rb") as file:
        file.seek(max(0, os.fstat(file.fileno()).st_size - len(end)))
        return file.read() == end


def output_of(name):
    """The output that a note is on; None for another file that has come there."""
    try:
        return base64.urlsafe_b64decode(name.replace("@", "").replace(os.sep, "")).decode()
    except ValueError:
        return None


def forgotten(records):
    """Outputs whose notes a full disk or a power cut took: Snakemake would not see that their settings change.

    Where there are none at all somebody has removed them, and Snakemake warns.
    """
    notes = [os.path.join(folder, name) for folder, _, names in os.walk(NOTES) for name in names]
    found = {output_of(os.path.relpath(path, NOTES)): path for path in notes}
    missing = [path for path in records if path not in found]
    broken = [output for output, path in found.items() if output and not whole(path)]
    return {*broken, *(missing if len(missing) < len(records) else ())}


def outdated(records):
    """Records of jobs that read a member which has been replaced by a file with an old time stamp."""
    newest = max(map(os.path.getmtime, records), default=0)
    old = {path for path in PLAN.cache.replaced if os.path.getmtime(path) <= newest}
    return {path for path in records if old and old.intersection(inputs_of(path))}


def inputs_of(path):
    try:
        return [entry["path"] for entry in record_files.read(path)["inputs"]]
    except (InputError, KeyError, TypeError):  # damage, which audit tells
        return []


def make_again(outputs):
    """Mark outputs as a killed run leaves them (the profile's rerun-incomplete)."""
    for path in outputs:
        mark = os.path.join(MARKS, name_of_note(path))
        os.makedirs(os.path.dirname(mark), exist_ok=True)
        with open(mark, "w") as file:
            file.write('{"external_jobid": null}')


def doubt_what_is_left():
    """Before Snakemake looks at the files: mark what it would take for finished and is not."""
    records = [
        os.path.join(folder, name)
        for product in GOOD
        for folder, _, names in os.walk(f"{OUT}/{product}/{layout.RECORD}")
        for name in names
        if name.endswith(".json") and not name.startswith(".")
    ]
    # a record is written last: where it has no end, its job's other outputs are in doubt
    cut = {path for path in records if not whole(path, b"}\n")}
    make_again(cut | forgotten(records) | outdated(records))
    PLAN.cache.save()


if workflow.is_main_process and not another_run():
    try:
        doubt_what_is_left()
    except OSError as error:
        raise WorkflowError(f"{error.filename}: {error.strerror}")
guard.announce(f"{OUT}/.plan.json" if PLAN.cache.saved else None)
refusal.announce(OUT)
