"""median: combine all single-drizzled images, section by section.

Settings: the section median. Output: {product}_median.fits (SCI, NUSED, and ERR if combine_type is auto) over
the window that the single drizzles cover.
"""

import os

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
    made = median_image(singles, window, parameters)
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
