"""mosaic: write the mosaic from its bands or, if there is only one, from the flagged members.

Settings: mosaic, grid.pad, grid.pixmap_tolerance. Output: {product}_i2d.fits.
"""

import json

from drizzleflow import formats
from drizzleflow.frames import bands
from drizzleflow.geometry.grid import Grid
from drizzleflow.io import plane_file
from drizzleflow.io.light_tables import read_members
from drizzleflow.jobs import history, record
from drizzleflow.jobs.reader import FrameReader
from drizzleflow.resample import i2d, mosaic, units
from drizzleflow.resample.mosaic_coverage import coverage, level


def main(job):
    opts = job.options
    settings, grid = opts["mosaic"], Grid.load(job.input.grid)
    members = read_members(job.input.members, job.input.crfs)
    if job.input.bands:
        model = bands.join([plane_file.read(path) for path in job.input.bands])
        unit, windows = str(model.pop("unit")), json.loads(str(model.pop("windows")))
    else:
        reader = FrameReader.of(job, "mosaic")
        model, unit = mosaic.drizzle(members, grid, settings, reader.to_drizzle, pad=opts["grid"]["pad"])
        windows = reader.reached
    model |= i2d.exposure_times(members, formats.reading(opts))
    if settings["units"] == "counts" and not job.input.bands:
        unit = units.to_counts(model, unit, model["exposure_time"])
    headers = formats.get(members[0]["format"]).headers or i2d.headers
    hashes = {}
    cards = i2d.merge_headers(job.input.crfs, headers, hashes)
    lines = history.members(
        [(m["member"], m["nframes"]) for m in members], {m["member"]: hashes.get(m["path"]) for m in members}
    )
    i2d.write_i2d(
        job.output.mosaic,
        model,
        grid,
        unit=unit,
        parameters=settings,
        cards=cards,
        report_var=settings["report_var"],
        history=history.cards(history.keywords(opts, job.code), lines),
    )
    for member in members:
        for extver, window in windows.get(member["member"], {}).items():
            job.contribution(
                job.output.mosaic,
                member["path"],
                member=member["member"],
                extver=int(extver),
                window=window,
            )
    covered, holes = coverage(model["wht"])
    job.statistics.update(
        pointings=model["pointings"],
        exposure_time=model["exposure_time"],
        covered=covered,
        holes=holes,
        level=level(model["data"]),
        unit=unit,
    )
    job.thumbnail("mosaic", model["data"], size=512)
    job.thumbnail("coverage", model["wht"], size=512, limits=(0.0, None))  # black: no weight


if __name__ == "__main__":
    with record.job(snakemake) as job:
        main(job)
