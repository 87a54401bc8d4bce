"""single_drizzle: drizzle the frames of one group onto the part of the output grid that they cover.

Settings: single_drizzle, grid.pad, grid.pixmap_tolerance. Output: single/{group}_outlier_i2d.fits (SCI, WHT).
Without resampling (resample_data: false) it holds the frame itself, less its sky where exposures are compared
with the others, and its weights.
"""

from drizzleflow import formats
from drizzleflow.jobs import history, record
from drizzleflow.jobs.reader import FrameReader
from drizzleflow.resample import single
from drizzleflow.sky.own_level import own_levels


def main(job):
    opts, settings = job.options, job.options["single_drizzle"]
    reader, module = FrameReader.of(job, "single_drizzle"), formats.get(opts["frames"][0][0]["format"])
    listed = [(member, extver) for member, extvers in opts["frames"] for extver in extvers]
    frames = ((frame, level(frame)) for frame in (reader.frame(*which) for which in listed))
    levels = {}
    if opts.get("own_sky") == "local":
        levels = own_levels(job.input.own_sky, [(member["member"], extver) for member, extver in listed])

    def level(frame):
        """The sky to subtract: as sky.csv has it, but known from the group alone where it can be."""
        if not opts["subtract"]:
            return None
        if opts.get("own_sky") == "recorded":
            return frame.level if frame.subtracted is False else None
        key = frame.member, frame.extver
        return (levels if opts.get("own_sky") else reader.levels).get(key)

    bits = formats.good_bits(module, "single", settings["good_bits"])
    flags = {"good_bits": bits, "flags": module.DQ_FLAGS}
    if settings["resample_data"]:
        grid = reader.grid_of(listed)
        made = single.drizzle(frames, grid, reader.pixmap, settings, pad=opts["grid"]["pad"], **flags)
    else:
        made = single.unresampled(*next(frames), settings, **flags)
    lines = history.members(
        [(m["member"], len(v)) for m, v in opts["frames"]],
        {m["member"]: reader.sha256(m) for m, _ in opts["frames"]},
    )
    made.write(job.output.single, history.cards(history.keywords(opts, job.code), lines))
    for member, extver in listed:
        job.contribution(
            job.output.single,
            member["path"],
            member=member["member"],
            extver=extver,
            window=made.window,
            mask=next(iter(job.input.static), None),
        )
    job.statistics.update(window=list(made.window), mean_weight=made.mean_weight)
    job.thumbnail("single", made.sci)


if __name__ == "__main__":
    for job in record.jobs(snakemake):
        with job:
            main(job)
