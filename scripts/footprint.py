"""footprint: measure what each frame of a batch covers, and sample its WCS on a sparse lattice.

No other step opens a GWCS on the frames.

Settings: grid.method and pixmap_tolerance, pixmap_stepsize and pixmap_order of single_drizzle and mosaic,
mosaic.units, skymatch.stepsize, inputs.checksum.
Outputs: footprint/{batch}.json (outlines, reference points), footprint/{batch}.npz (lattices, hashes of the
members' files).
"""

import json

import numpy as np

from drizzleflow import formats
from drizzleflow.errors import InputError
from drizzleflow.frames.groups import group_of
from drizzleflow.geometry import astrodrizzle_frame, footprint
from drizzleflow.geometry.lattice import Lattice
from drizzleflow.geometry.overlap import border
from drizzleflow.geometry.pixmap import LatticeFiles, step_name
from drizzleflow.io import asdf_trees
from drizzleflow.io.files import replacing, write_text
from drizzleflow.jobs import record
from drizzleflow.resample import units


def main(job):
    asdf_trees.quick_start()
    opts = job.options
    steps = {"auto": ("auto", 3)}
    for section in ("single_drizzle", "mosaic"):
        step, order = opts[section]["pixmap_stepsize"], opts[section]["pixmap_order"]
        steps[step_name(step, order)] = (step, order) if step_name(step, order) != "auto" else ("auto", 3)
    outlines, arrays = [], {}
    for member in opts["members"]:
        for key in ("path", "dq", "ivar"):
            if member[key]:
                hashed = job.input_hash(member[key])
                if key == "path":
                    arrays[LatticeFiles.hash_key(member["member"])] = np.array(hashed["sha256"])
                for warning in formats.verify(member[key], opts["inputs"]["checksum"]):
                    job.warn("%s", warning)
        for extver in range(1, member["nframes"] + 1):
            if extver > 1 and member["cube"]:  # all integrations of a cube have the same WCS
                outlines.append({**outlines[-1], "extver": extver, "group": group_of(member, extver)})
                arrays |= {
                    k.replace("/1/", f"/{extver}/"): v
                    for k, v in arrays.items()
                    if k.startswith(f"{member['member']}/1/")
                }
                continue
            frame = formats.read(member, extver, (), formats.reading(opts))
            if not (frame.exposure_time and frame.exposure_time > 0):
                raise InputError(
                    f"{member['path']}: exposure time {frame.exposure_time}, expected a positive number of seconds"
                )
            unit = frame.product_unit or frame.unit
            units.expect_rate(unit, opts["mosaic"]["units"], member["path"])
            try:
                wcs = frame.wcs
                found = footprint.describe(wcs, frame.s_region)
                if opts["grid"]["method"] == "astrodrizzle":
                    found |= astrodrizzle_frame.describe(frame, wcs)
                arrays[LatticeFiles.area_key(member["member"], extver)] = np.array(found["pixel_area"])
                found["sky_outline"] = np.array(
                    wcs.to_sky(*border(wcs.shape, opts["skymatch"]["stepsize"]))
                ).tolist()
                for name, (step, order) in steps.items():
                    lattice = Lattice.sample(
                        wcs, stepsize=step, order=order, tolerance=opts["grid"]["pixmap_tolerance"]
                    )
                    arrays |= {
                        f"{member['member']}/{extver}/{name}/{k}": v for k, v in lattice.arrays().items()
                    }
                    job.log(
                        "%s %d: lattice %s of %d x %d nodes",
                        member["member"],
                        extver,
                        name,
                        len(lattice.x),
                        len(lattice.y),
                    )
            except InputError:
                raise
            except ValueError as error:
                raise InputError(f"{member['path']}: frame {extver}: {error}") from None
            known = {"member": member["member"], "extver": extver, "group": group_of(member, extver)}
            outlines.append(
                {
                    **known,
                    "unit": unit,
                    "level": frame.level,
                    "subtracted": frame.subtracted,
                    **found,
                }
            )
    with replacing(job.output.lattices) as temporary, open(temporary, "wb") as out:
        np.savez(out, **arrays)
    write_text(job.output.outlines, json.dumps(outlines) + "\n")
    job.statistics["frames"] = len(outlines)


if __name__ == "__main__":
    with record.job(snakemake) as job:
        main(job)
