"""crclean: copy a member with outliers and bad pixels replaced by what the other exposures show (the blot).

Settings: crmask.corr. Output: crclean/{member}_crclean.fits, with SCI and DQ as AstroDrizzle's driz_cr_corr
writes them.
"""

import numpy as np

from drizzleflow import formats
from drizzleflow.arrays import dq
from drizzleflow.errors import InputError
from drizzleflow.io.fits import open_fits, plane
from drizzleflow.jobs import history, record
from drizzleflow.jobs.reader import FrameReader
from drizzleflow.outliers.driz_cr import clean


def main(job):
    opts = job.options
    member, format_module = opts["member"], formats.get(opts["member"]["format"])
    if format_module.write_clean is None:
        able = [module.TITLE for module in map(formats.get, formats.names()) if module.write_clean]
        raise InputError(
            f"{member['path']}: crmask.corr writes cleaned copies of {' and '.join(able)} files only, "
            f"found {member['format']}"
        )
    good_bits = formats.good_bits(format_module, "single", opts["single_drizzle"]["good_bits"])
    crbit = formats.outlier_bits(format_module, formats.reading(opts))
    reader, images = FrameReader.of(job), {}
    with open_fits(job.input.mask) as masks, open_fits(job.input.blot) as blots:
        for extver, frame in reader.frames(member, ("data", "dq")):
            mask = plane(masks, ("CRMASK", extver), bool, job.input.mask)
            blotted = plane(blots, ("SCI", extver), np.float32, job.input.blot)
            blotted += np.float32(reader.level(member, extver) or 0.0)
            bad = ~dq.good_pixels(frame.dq, good_bits, format_module.DQ_FLAGS, frame.shape)
            images[extver] = clean(frame.data, None, mask | bad, blotted, crbit=crbit)
            job.log(
                "%s %d: %d pixels replaced",
                member["member"],
                extver,
                int(np.count_nonzero(images[extver][1])),
            )
        stamp = history.keywords(opts, job.code, masks[0].header.get("PROVIN"))
    format_module.write_clean(member, images, job.output.crclean, stamp)
    for source in (job.input.files[0], job.input.blot):
        job.contribution(job.output.crclean, source, member=member["member"], mask=job.input.mask)


if __name__ == "__main__":
    with record.job(snakemake) as job:
        main(job)
