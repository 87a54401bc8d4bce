"""median: the median of all single-drizzled images, section by section.

Settings: the median section. Output: {product}_median.fits (SCI, NUSED) over the window that the singles cover.
"""

from drizzleflow import record
from drizzleflow.combine import median_image
from drizzleflow.errors import InputError
from drizzleflow.fitsio import image_header, write_hdus
from drizzleflow.grid import Grid
from drizzleflow.windowed import Windowed, cards, union

with record.job(snakemake) as job:
    opts = snakemake.params.opts
    settings, resampled = opts["median"], opts["single_drizzle"]["resample_data"]
    singles = [Windowed.open(path) for path in snakemake.input.singles]
    if not resampled and len({single.shape for single in singles}) > 1:
        raise InputError("single_drizzle.resample_data: false needs frames of one shape, found "
                         + ", ".join(sorted({str(single.shape) for single in singles})))  # fmt: skip
    window = union(singles)
    sci, nused = median_image(
        singles, window, maskpt=settings["maskpt"], combine_bufsize=settings["combine_bufsize"]
    )
    place = cards(window, singles[0].unit, Grid.load(snakemake.input.grid) if resampled else None)
    primary = [("NCOMBINE", len(singles), "images combined"), ("COMBTYPE", settings["combine_type"], "combination")]
    hdus = [(image_header(None, primary=True, cards=primary), None)]
    hdus.append((image_header(sci, "SCI", cards=place), sci))
    hdus.append((image_header(nused, "NUSED", cards=[c for c in place if c[0] != "BUNIT"]), nused))
    write_hdus(snakemake.output.median, hdus)
    job.log("median of %d images over %d x %d pixels", len(singles), sci.shape[1], sci.shape[0])
    job.statistics.update(images=len(singles), window=list(window), deepest=int(nused.max(initial=0)))
    job.thumbnail("median", sci)
