"""mosaic: all flagged members drizzled onto the grid.

Settings: mosaic, grid.pad, grid.pixmap_tolerance. Output: {product}_i2d.fits.
"""

from drizzleflow import formats, mosaic, record
from drizzleflow.grid import Grid
from drizzleflow.pixmap import LatticeFiles
from drizzleflow.tables import read_levels, read_members

with record.job(snakemake) as job:
    opts = snakemake.params.opts
    settings, levels = opts["mosaic"], read_levels(snakemake.input.sky)
    grid, lattices = Grid.load(snakemake.input.grid), LatticeFiles(snakemake.input.lattices)
    members = [
        dict(row, path=crf) for row, crf in zip(read_members(snakemake.input.members), snakemake.input.crfs, strict=True)
    ]
    format_module = formats.get(members[0]["format"])
    drizzler = mosaic.Mosaic(grid, settings, format_module, pad=opts["grid"]["pad"], n_frames=sum(m["nframes"] for m in members))
    for member in members:
        for extver in range(1, member["nframes"] + 1):
            frame = formats.read(member, extver, drizzler.planes, opts["simple"])
            pixmap = lattices.pixmap(
                frame, grid, settings["pixmap_stepsize"], int(settings["pixmap_order"]), opts["grid"]["pixmap_tolerance"]
            )
            drizzler.add(frame, pixmap, levels.get((member["member"], extver)))
    model, unit = drizzler.finish()
    cards = mosaic.merge_headers(snakemake.input.crfs)
    mosaic.write_i2d(
        snakemake.output.mosaic, model, grid, unit=unit, parameters=settings, cards=cards, report_var=settings["report_var"]
    )
    job.statistics.update(pointings=model["pointings"], exposure_time=model["exposure_time"], covered=float((model["wht"] > 0).mean()))
    job.thumbnail("mosaic", model["data"], size=512)
    job.thumbnail("coverage", model["wht"])
