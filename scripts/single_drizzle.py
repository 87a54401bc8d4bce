"""single_drizzle: the frames of one group on the output grid, only the window that they cover.

Settings: single_drizzle, grid.pad, grid.pixmap_tolerance. Output: single/{group}_outlier_i2d.fits (SCI, WHT).
Without resampling (resample_data: false) the frame itself and its weights.
"""

from drizzleflow import formats
from drizzleflow.frames.variances import add_sky_variance
from drizzleflow.geometry.grid import Grid
from drizzleflow.geometry.pixmap import LatticeFiles
from drizzleflow.io.light_tables import read_levels
from drizzleflow.jobs import history, record
from drizzleflow.outliers.static_mask import StaticMasks
from drizzleflow.resample import single


def main(job):
    opts = job.options
    settings, levels = opts["single_drizzle"], read_levels(job.input.sky)
    grid, lattices = Grid.load(job.input.grid), LatticeFiles(job.input.lattices)
    static = StaticMasks(job.input.static)
    flags = formats.get(opts["frames"][0][0]["format"])
    planes = ["data", "dq"]
    if settings["weight_type"] != "exptime":
        planes += ["var", "err"] if flags.ERR_ALONE else ["var"]

    def frames():
        for member, extvers in opts["frames"]:
            for extver in extvers:
                frame = static.apply(
                    member, formats.read(member, extver, planes, opts["simple"]).on_grid(grid)
                )
                if settings["weight_type"] == "ivm-sky":
                    add_sky_variance(frame)
                yield frame, levels.get((member["member"], extver))

    good_bits = formats.good_bits(flags, "single", settings["good_bits"])
    if settings["resample_data"]:
        tolerance = opts["grid"]["pixmap_tolerance"]

        def pixmap(frame):
            return lattices.pixmap(
                frame, grid, settings["pixmap_stepsize"], int(settings["pixmap_order"]), tolerance
            )

        made = single.drizzle(
            frames(),
            grid,
            pixmap,
            settings,
            good_bits=good_bits,
            flags=flags.DQ_FLAGS,
            pad=opts["grid"]["pad"],
        )
    else:
        made = single.unresampled(*next(frames()), settings, good_bits=good_bits, flags=flags.DQ_FLAGS)
    names = [member["member"] for member, _ in opts["frames"]]
    lines = history.members(
        [(m["member"], len(v)) for m, v in opts["frames"]], {name: lattices.sha256(name) for name in names}
    )
    made.write(job.output.single, history.cards(history.keywords(opts, job.code), lines))
    for member, extvers in opts["frames"]:
        for extver in extvers:
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
    with record.job(snakemake) as job:
        main(job)
