"""skymatch: one sky level a frame, from all frames' statistics.

Settings: skymatch. Output: sky.csv (member, group, sky, component, npix, valid, sigma, extver; sky in the frame's unit a pixel).
With skip, the levels that the inputs themselves record and have not subtracted; with skymethod user, those of skylist.
"""

import csv
import io
import json

from drizzleflow.io.files import write_text
from drizzleflow.io.tables import SKY_COLUMNS, read_skylist, rows
from drizzleflow.jobs import record
from drizzleflow.sky.cells import CellFiles, differences
from drizzleflow.sky.levels import SkyRow, check_connected, solve


def main(job):
    settings = job.options["skymatch"]
    if job.input.skylist:
        job.input_hash(job.input.skylist)
    frames = {(row["member"], int(row["extver"])): row for row in rows(job.input.footprints)}
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow(SKY_COLUMNS)
    valid = 0
    if settings["skip"]:
        for (member, extver), row in frames.items():
            known = row["level"] != "" and row["subtracted"] == "False"
            valid += known
            table.writerow([member, row["group"], row["level"] if known else 0.0, 0, 0, known, "nan", extver])
        job.log("no sky matching: levels are those that the inputs record")
    elif settings["skymethod"] == "user":
        given = read_skylist(settings["skylist"], [member for member, _ in frames])
        for (member, extver), row in frames.items():
            valid += 1
            table.writerow([member, row["group"], given[member], 0, 0, True, "nan", extver])
        job.log("sky levels are those of %s", settings["skylist"])
    else:
        measured, factor = [], {}
        for path in job.input.tables:
            for row in rows(path):
                key = (row["member"], int(row["extver"]))
                factor[key] = float(row["factor"])
                measured.append(
                    SkyRow(key, row["other"], float(row["sky"]), int(row["npix"]), float(row["sigma"]))
                )
        groups, between = {key: row["group"] for key, row in frames.items()}, ()
        if settings["skystat"] == "auto":
            frames_of = {}
            for key, group in groups.items():
                frames_of.setdefault(group, []).append(key)
            with open(job.input.overlaps, encoding="utf-8") as file:
                between = differences(json.load(file), frames_of, CellFiles(job.input.cells).read)
        solved = solve(
            measured,
            groups,
            settings["skymethod"],
            settings["match_down"],
            weights=settings["weights"],
            reference="all" if settings["disconnected"] == "global" else "component",
            differences=between,
        )
        check_connected(solved, settings["disconnected"])
        for level in solved:
            member, extver = level.frame
            f = factor[level.frame]
            valid += level.valid
            table.writerow(
                [
                    member,
                    level.group,
                    level.sky / f,
                    level.component,
                    level.npix,
                    level.valid,
                    level.sigma / f,
                    extver,
                ]
            )
            job.log("%s %d: sky %g +- %g", member, extver, level.sky / f, level.sigma / f)
        job.statistics["components"] = len({level.component for level in solved if level.component})
    write_text(job.output.sky, text.getvalue())
    job.statistics.update(
        skymethod="none" if settings["skip"] else settings["skymethod"], valid=valid, frames=len(frames)
    )


if __name__ == "__main__":
    with record.job(snakemake) as job:
        main(job)
