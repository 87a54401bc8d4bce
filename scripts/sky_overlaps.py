"""sky_overlaps: measure the sky of a batch's frames, whole and in their overlap with every other group.

Settings: skymatch. Outputs: sky/{batch}.csv (member, extver, other, sky, npix, sigma, factor), with `sky` in
the product's unit, which is `factor` times the frame's unit; and sky/{batch}.npz. With skystat auto, the
latter holds what each frame sees in cells of the sky, in place of the overlaps.
"""

import json

import numpy as np

from drizzleflow import formats
from drizzleflow.arrays import dq
from drizzleflow.arrays.statistics import SkyStats
from drizzleflow.geometry.pixmap import from_lattice
from drizzleflow.io import light_tables
from drizzleflow.io.columns import FOOTPRINTS, OVERLAPS
from drizzleflow.io.files import replacing
from drizzleflow.jobs import record
from drizzleflow.jobs.reader import FrameReader
from drizzleflow.sky.cells import SkyCells, by_rows
from drizzleflow.sky.masks import sky_mask
from drizzleflow.sky.overlaps import overlap_statistics


def outlines_of(given, wanted):
    """The outlines of all frames, or where each is measured alone those of the batch."""
    if given.footprints:
        return light_tables.rows(given.footprints, FOOTPRINTS, wanted)
    with open(given.outlines, encoding="utf-8") as file:
        return json.load(file)


def main(job):
    opts = job.options
    settings = opts["skymatch"]
    reader = FrameReader.of(job)
    stats, by_cells, arrays = SkyStats.from_options(settings), settings["skystat"] == "auto", {}
    outlines, group_of = {}, {}
    wanted = ("member", "extver", "group", "sky_outline")
    for row in outlines_of(job.input, wanted):
        outlines[row["member"], row["extver"]] = np.array(row["sky_outline"])
        group_of[row["member"], row["extver"]] = row["group"]
    members_of = {}
    for key, group in group_of.items():
        members_of.setdefault(group, []).append(outlines[key])
    near_to = {}  # where the method compares groups
    if job.input.overlaps:
        with open(job.input.overlaps, encoding="utf-8") as file:
            near_to = json.load(file)
    for path in job.input.get("masks") or ():
        job.input_hash(path)
    overlaps = []  # rows of the table
    for member in opts["members"]:
        format_module = formats.get(member["format"])
        bits = format_module.SKY_BITS if settings["dqbits"] == "auto" else settings["dqbits"]
        for extver, frame in reader.frames(member, ("data", "dq")):
            key, lattice = (member["member"], extver), reader.lattice(member, extver)
            good = dq.good_pixels(frame.dq, bits, format_module.DQ_FLAGS, frame.shape)
            good = good & np.isfinite(frame.data)
            masks = opts["masks"].get(member["member"])
            if masks is not None:
                good &= sky_mask(masks, member, 1 if member["cube"] else extver, frame.shape)
            data = frame.to_product(frame.data)
            exact = settings["overlap"] == "scan"
            to_pixel = frame.wcs.to_pixel if exact and near_to else lattice.to_pixel
            near = near_to.get(group_of[key], ())
            others = {} if by_cells else {group: members_of[group] for group in near}
            found = overlap_statistics(
                data, good, outlines[key], to_pixel, others, stats, settings["overlap"]
            )
            if by_cells and near:
                blocks = by_rows(
                    data,
                    good & stats.between(data),
                    lambda rows, lattice=lattice: from_lattice(lattice, reader.grid, rows),
                )
                cells = SkyCells.measure(blocks)
                arrays |= {
                    f"{member['member']}/{extver}/{name}": array for name, array in cells.arrays().items()
                }
            for row in found:
                overlaps.append((*key, row.other, row.sky, row.npix, row.sigma, frame.factor))
            job.log("%s %d: %d overlaps, sky of the whole frame %g", *key, len(found) - 1, found[0].sky)
    light_tables.write(job.output.table, OVERLAPS, overlaps)
    with replacing(job.output.cells) as temporary, open(temporary, "wb") as out:
        np.savez(out, **arrays)


if __name__ == "__main__":
    with record.job(snakemake) as job:
        main(job)
