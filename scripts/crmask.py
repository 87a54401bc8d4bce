"""crmask: compare one member with the blotted median, and write its outlier mask and flagged copy.

Settings: crmask, single_drizzle (resample_data, pixmap), skymatch (method, for the header). Outputs:
crmask/{member}_crmask.fits, crf/{member}_crf.fits and, where intermediates are kept, blot/{member}_blot.fits.
"""

import os

import numpy as np

from drizzleflow import formats
from drizzleflow.frames.windowed import Windowed
from drizzleflow.io.fits import image_header, write_hdus
from drizzleflow.jobs import history, record, thumbnail
from drizzleflow.jobs.reader import FrameReader
from drizzleflow.outliers import compare as rejection
from drizzleflow.sky.keywords import background_keywords


def main(job):
    opts = job.options
    member, settings = opts["member"], opts["crmask"]
    reader = FrameReader.of(job, "single_drizzle")
    median = (
        Windowed.open(job.input.median[0], ("SCI",), optional=("ERR", "NUSED")) if job.input.median else None
    )
    resampled = opts["single_drizzle"]["resample_data"]
    status = "COMPLETE"
    if median is None:
        status = "SKIPPED"
        if opts["off"]:
            job.log("%s: %s: nothing is flagged", member["member"], opts["off"])
        else:
            job.warn("%s: fewer than two groups: nothing is flagged", member["member"])
    masks, blots, counts = {}, {}, []
    for extver, frame in reader.frames(member, ("data", "err")):
        blotted = np.full(frame.shape, np.nan, np.float32)
        if median is None:
            mask = np.zeros(frame.shape, bool)
        else:
            if resampled:
                level = reader.level(member, extver)
                blotted, mask = rejection.compare(frame, reader.pixmap(frame), median, level, settings)
            else:
                blotted = frame.from_product(median.read("SCI", 0, median.shape[0]))
                mask = rejection.compare_aligned(frame, blotted, settings)
        masks[extver], blots[extver] = mask, blotted
        n = int(np.count_nonzero(mask))
        counts.append({"extver": extver, "flagged": n, "fraction": n / mask.size, "npix": mask.size})
        job.log("%s %d: %d pixels marked as outliers", member["member"], extver, n)
        if extver == 1:
            cut = thumbnail.busiest(mask)
            limits = job.thumbnail("before", frame.data[cut])
            job.thumbnail("after", np.where(mask, blotted, frame.data)[cut], limits=limits)
            job.thumbnail("mask", frame.data[cut], mask[cut], limits=limits)

    def images(planes, name):
        if member["cube"]:
            cube = np.stack([planes[v] for v in planes])
            return [(image_header(cube, name, extver=1), cube)]
        return [(image_header(planes[v], name, extver=v), planes[v]) for v in planes]

    outcome = ("S_OUTLIR", status, "outlier detection status")
    stamp = history.keywords(opts, job.code, reader.sha256(member))
    lines = [f"{member['member']} compared with {os.path.basename(path)}" for path in job.input.median]
    primary = (image_header(None, primary=True, cards=[outcome, *history.cards(stamp, lines)]), None)
    write_hdus(
        job.output.mask, [primary, *images({v: m.astype(np.uint8) for v, m in masks.items()}, "CRMASK")]
    )
    if job.output.get("blot"):
        write_hdus(job.output.blot, [primary, *images(blots, "SCI")])
        for path in job.input.median:
            job.contribution(job.output.blot, path, member=member["member"])
    keywords = {
        "S_OUTLIR": outcome[1:],
        **stamp,
        **background_keywords(opts["skymatch"], reader.levels, member),
    }
    formats.get(member["format"]).write_crf(member, masks, job.output.crf, keywords, opts["simple"])
    for source in (member["path"], *job.input.median):
        job.contribution(job.output.mask, source, member=member["member"])
    job.contribution(job.output.crf, member["path"], member=member["member"], mask=job.output.mask)
    job.statistics.update(frames=counts, status=status)


if __name__ == "__main__":
    with record.job(snakemake) as job:
        main(job)
