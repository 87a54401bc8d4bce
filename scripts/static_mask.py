"""static_mask: mask the pixels of each detector that are far below the sky in some exposure.

Settings: static_mask. Output: static_mask.fits, with an extension STATIC (1 = good) for each detector, chip
and shape.
"""

from itertools import groupby

import numpy as np

from drizzleflow.jobs import history, record
from drizzleflow.jobs.reader import FrameReader
from drizzleflow.outliers import static_mask


def main(job):
    opts, masks, reader = job.options, {}, FrameReader.of(job)

    def frames():
        for member in opts["members"]:
            for extver, frame in reader.frames(member, ()):
                yield static_mask.signature(member, frame), member, extver

    for key, found in groupby(sorted(frames(), key=lambda entry: entry[0]), key=lambda entry: entry[0]):
        images = (reader.frame(member, extver, ("data",)).data for _, member, extver in found)
        masks[key] = static_mask.static_mask(images, opts["static_mask"]["static_sig"])
        job.log("%s: %d pixels masked", " ".join(map(str, key)), int(np.count_nonzero(~masks[key])))
    lines = history.members([(member["member"], member["nframes"]) for member in opts["members"]], {})
    static_mask.write(job.output.static, masks, history.cards(history.keywords(opts, job.code), lines))
    job.statistics["masked"] = {
        " ".join(map(str, key)): int(np.count_nonzero(~good)) for key, good in masks.items()
    }


if __name__ == "__main__":
    with record.job(snakemake) as job:
        main(job)
