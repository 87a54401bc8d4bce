"""median: combine all single-drizzled images, section by section.

Settings: the section median. Output: {product}_median.fits over the window that the single drizzles cover: SCI,
NUSED, and ERR if combine_type is auto. Where exposures are compared with the others (crmask.reference), also
MEAN, WSUM, VMEAN, NMEAN and the table GROUPS, of which any group can be left out again.
"""

import os

from drizzleflow.combine import group_noise
from drizzleflow.combine.leave_one_out import NAMES, Limits
from drizzleflow.combine.parameters import Parameters
from drizzleflow.combine.stack import median_image
from drizzleflow.frames.windowed import Windowed, cards, expect_one_shape, union
from drizzleflow.geometry.grid import Grid
from drizzleflow.io.fits import image_header, write_hdus
from drizzleflow.jobs import history, record


def main(job):
    opts = job.options
    settings, resampled = opts["median"], opts["single_drizzle"]["resample_data"]
    singles = [Windowed.open(path, threshold_of=settings["threshold_of"]) for path in job.input.singles]
    if not resampled:
        expect_one_shape(singles)
    window = union(singles)
    parameters = Parameters.of(settings)
    limits = Limits.of(settings) if opts["groups"] else None
    made = median_image(singles, window, parameters, limits, os.path.dirname(job.output.median))
    notes = list(made.notes)
    if parameters.statistic == "minmed" and opts["skymatch"]["skymethod"] == "match":
        notes.append(
            "skymatch.skymethod match gives relative levels, and minmed needs the sky itself: use global+match or local"
        )
    for note in notes:
        job.warn("%s", note)
    place = cards(window, singles[0].unit, Grid.load(job.input.grid) if resampled else None)
    stamp = history.cards(
        history.keywords(opts, job.code), [os.path.basename(single.path) for single in singles]
    )
    primary = [
        ("NCOMBINE", len(singles), "images combined"),
        ("COMBTYPE", settings["combine_type"], "combination"),
        *stamp,
    ]
    hdus = [(image_header(None, primary=True, cards=primary), None)]
    hdus.append((image_header(made.sci, "SCI", cards=place), made.sci))
    hdus.append((image_header(made.nused, "NUSED", cards=[c for c in place if c[0] != "BUNIT"]), made.nused))
    if made.err is not None:
        hdus.append((image_header(made.err, "ERR", cards=place), made.err))
    if made.clipped is not None:
        for name, plane in zip(NAMES, made.clipped, strict=True):
            own = place if name == "MEAN" else [c for c in place if c[0] != "BUNIT"]
            hdus.append((image_header(plane, name, cards=own), plane))
        hdus.append(group_noise.table(opts["groups"], made.groups))
    write_hdus(job.output.median, hdus)
    for single in singles:
        job.contribution(job.output.median, single.path, window=single.window)
    ny, nx = made.sci.shape
    job.log("%s of %d images over %d x %d pixels", settings["combine_type"], len(singles), nx, ny)
    job.statistics.update(
        images=len(singles),
        window=list(window),
        deepest=int(made.nused.max(initial=0)),
        combine_type=settings["combine_type"],
    )
    job.thumbnail("median", made.sci)


if __name__ == "__main__":
    with record.job(snakemake) as job:
        main(job)
