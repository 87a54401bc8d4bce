"""crmask: compare one member with the other exposures, and write its outlier mask and flagged copy.

Settings: crmask, single_drizzle (resample_data, pixmap, good_bits, kernel), median (which values are good),
mosaic (good_bits), skymatch (method, for the header). Outputs: crmask/{member}_crmask.fits,
crf/{member}_crf.fits and, where intermediates are kept, blot/{member}_blot.fits.
"""

import os

import numpy as np

from drizzleflow import formats
from drizzleflow.arrays import dq
from drizzleflow.frames.quality import quality
from drizzleflow.io.fits import image_header, write_hdus
from drizzleflow.jobs import history, record, thumbnail
from drizzleflow.jobs.reader import FrameReader
from drizzleflow.outliers.comparison import Comparison
from drizzleflow.sky.keywords import background_keywords


def main(job):
    opts = job.options
    member = opts["member"]
    reader = FrameReader.of(job, "single_drizzle")
    format_module = formats.get(member["format"])
    status, comparison = "COMPLETE", None
    if not job.input.median:
        status = "SKIPPED"
        if opts["off"]:
            job.log("%s: %s: nothing is flagged", member["member"], opts["off"])
        else:
            job.warn("%s: fewer than two groups: nothing is flagged", member["member"])
    else:
        groups, resampled = dict(opts["groups"]), opts["single_drizzle"]["resample_data"]
        singles = dict(zip(dict.fromkeys(groups.values()), job.input.singles, strict=True))
        comparison = Comparison.of_files(
            opts, job.input.median[0], singles, format_module, reader.grid.pixel_scale_ratio or 1.0
        )
    masks, blots, counts = {}, {}, []
    bits = formats.good_bits(format_module, "mosaic", opts["mosaic"]["good_bits"])
    for extver, frame in reader.frames(member, ("data", "dq", "err")):
        good = dq.good_pixels(frame.dq, bits, format_module.DQ_FLAGS, frame.shape)
        worth = quality(frame, good, format_module.SATURATED)
        if comparison is None:
            mask, blotted, measured = (
                np.zeros(frame.shape, bool),
                np.full(frame.shape, np.nan, np.float32),
                {},
            )
            sky = np.float32(0)
        else:
            level = reader.level(member, extver)
            mask, blotted, measured = comparison.compare(
                # the map is not kept here: it is the largest of all
                frame,
                reader.pixmap(frame) if resampled else None,
                level,
                groups.get(extver),
            )
            sky = np.float32((level or 0) if resampled or groups else 0)  # what the blot lacks
        masks[extver], blots[extver] = mask, blotted
        n = int(np.count_nonzero(mask))
        counts.append(
            {
                "extver": extver,
                "flagged": n,
                "fraction": n / mask.size,
                "npix": mask.size,
                **worth,
                **measured,
            }
        )
        job.log("%s %d: %d pixels marked as outliers", member["member"], extver, n)
        if extver == 1:
            cut = thumbnail.busiest(mask)
            limits = job.thumbnail("before", frame.data[cut])
            job.thumbnail("after", np.where(mask, blotted + sky, frame.data)[cut], limits=limits)
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
    compared_with = [*job.input.median, *(job.input.get("singles") or ())]
    if job.output.get("blot"):
        write_hdus(job.output.blot, [primary, *images(blots, "SCI")])
        for path in compared_with:
            job.contribution(job.output.blot, path, member=member["member"])
    keywords = {
        "S_OUTLIR": outcome[1:],
        **stamp,
        **background_keywords(opts["skymatch"], reader.levels, member),
    }
    format_module.write_crf(member, masks, job.output.crf, keywords, formats.reading(opts))
    for source in (member["path"], *compared_with):
        job.contribution(job.output.mask, source, member=member["member"])
    job.contribution(job.output.crf, member["path"], member=member["member"], mask=job.output.mask)
    job.statistics.update(frames=counts, status=status)


if __name__ == "__main__":
    for job in record.jobs(snakemake):
        with job:
            main(job)
