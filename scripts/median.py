"""median: combine all single-drizzled images, section by section, or join what was combined in bands.

Settings: the section median. Output: {product}_median.fits over the window that the single drizzles cover: SCI,
NUSED, and ERR if combine_type is auto. Where exposures are compared with the others (crmask.reference), also
MEAN, WSUM, VMEAN, NMEAN and the table GROUPS, of which any group can be left out again.
"""

import os

from drizzleflow.combine import median_stack
from drizzleflow.geometry.grid import Grid
from drizzleflow.io.fits import write_hdus
from drizzleflow.jobs import history, record


def main(job):
    opts = job.options
    settings = opts["median"]
    bands = job.input.get("bands")
    if bands:
        planes, told = median_stack.join(bands)
    else:
        planes, told = median_stack.combine(job.input.singles, opts, os.path.dirname(job.output.median))
    notes = told.notes
    if settings["combine_type"] in ("minmed", "iminmed") and opts["skymatch"]["skymethod"] == "match":
        notes.append(
            "skymatch.skymethod match gives relative levels, and minmed needs the sky itself: use global+match or local"
        )
    for note in notes:
        job.warn("%s", note)
    lines = [os.path.basename(path) for path in told.paths]
    primary = [
        ("NCOMBINE", len(told.paths), "images combined"),
        ("COMBTYPE", settings["combine_type"], "combination"),
        *history.cards(history.keywords(opts, job.code), lines),
    ]
    grid = Grid.load(job.input.grid) if opts["single_drizzle"]["resample_data"] else None
    write_hdus(job.output.median, median_stack.layout(planes, told, opts["groups"], grid, primary))
    for path, window in zip(told.paths, told.windows, strict=True):
        job.contribution(job.output.median, path, window=window)
    ny, nx = told.window.shape
    job.log("%s of %d images over %d x %d pixels", settings["combine_type"], len(told.paths), nx, ny)
    job.statistics.update(
        images=len(told.paths),
        window=list(told.window),
        deepest=told.deepest,
        combine_type=settings["combine_type"],
    )
    job.thumbnail("median", planes["SCI"])


if __name__ == "__main__":
    with record.job(snakemake) as job:
        main(job)
