"""The imaging road without Snakemake: each rule's job made by hand, with the options that the rule passes."""

from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

from by_hand_runs import options_of

from drizzleflow import formats
from drizzleflow.jobs import record
from drizzleflow.jobs.by_hand import by_hand
from drizzleflow.plan import config, products
from drizzleflow.plan.roads import imaging
from drizzleflow.simulate import simulate

ROOT = Path(__file__).parents[2]


def script(rule):
    """A rule's script as a module."""
    spec = spec_from_file_location(f"script_{rule}", ROOT / "scripts" / f"{rule}.py")
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


class Road:
    """Three simulated exposures of one product, and the jobs that are made of them in `folder`."""

    def __init__(self, folder, flavour="simple", shape=(64, 72), user=None, **more):
        made = simulate(
            folder / "in", flavour=flavour, exposures=3, detectors=1, shape=shape, dither=0.3, **more
        )
        self.folder, settings = folder, config.load(ROOT / "config" / "config.yaml")
        user = {"associations": [str(path) for path in made["associations"]], **(user or {})}
        settings = config.resolve(settings, user, ROOT / "config" / "presets")
        (self.product,) = products.build(settings, None).products.values()
        assert self.product.error is None
        self.members = [member.asdict() for member in self.product.members]
        self.ending = formats.declared(self.members[0]["format"]).ending

    def at(self, *names):
        paths = [self.folder / name for name in names]
        for path in paths:
            path.parent.mkdir(parents=True, exist_ok=True)
        return paths[0] if len(paths) == 1 else paths

    def options(self, step, **facts):
        return options_of(self.product, step, **facts)

    def job(self, rule, input, output, options, **wildcards):
        """Run a rule's script; its record."""
        kept = self.at(f"record/{rule}.json")
        given = by_hand(
            rule, input=input, output={**output, "record": kept}, options=options, wildcards=wildcards
        )
        with record.job(given) as job:
            script(rule).main(job)
        return record.read(kept)

    def truth(self, member):
        """The file that says which rays were planted in a member."""
        name = Path(member["path"]).stem.removesuffix("_cal").removesuffix("_flt")
        return self.folder / "in" / "truth" / f"{name}_truth.fits"

    @property
    def static(self):
        return [self.at("static_mask.fits")] if self.product.options["static_mask"]["static"] else []

    def geometry(self):
        """members.csv, the footprints and the grid."""
        self.job(
            "members",
            {},
            {"table": self.at("members.csv")},
            {"error": None, "members": self.members, "others": []},
        )
        outlines, self.lattices = self.at("footprint/all.json", "footprint/all.npz")
        self.job(
            "footprint",
            {"files": [m["path"] for m in self.members]},
            {"outlines": outlines, "lattices": self.lattices},
            self.options("footprint", members=self.members),
        )
        names = ("grid.json", "footprints.csv", "overlaps.json")
        self.grid, footprints, overlaps = self.at(*names)
        self.job(
            "grid",
            {"outlines": [outlines], "wcs": []},
            {"grid": self.grid, "footprints": footprints, "overlaps": overlaps},
            self.options("grid", order=[member["member"] for member in self.members]),
        )
        return self

    def levels(self):
        """Static masks where they are asked for, and sky.csv."""
        if self.static:
            options = self.options("static_mask", members=self.members)
            self.job("static_mask", {}, {"static": self.static[0]}, options)
        table, cells, self.sky = self.at("sky/all.csv", "sky/all.npz", "sky.csv")
        tables = {"footprints": self.at("footprints.csv"), "overlaps": self.at("overlaps.json")}
        self.job(
            "sky_overlaps",
            {**tables, "grid": self.grid, "lattices": self.lattices, "static": self.static},
            {"table": table, "cells": cells},
            self.options("sky_overlaps", members=self.members, masks={}),
        )
        self.job(
            "skymatch",
            {**tables, "tables": [table], "cells": [cells], "skylist": []},
            {"sky": self.sky},
            self.options("skymatch"),
        )
        return self

    @property
    def placed(self):
        """What all jobs on the grid read."""
        return {"grid": self.grid, "sky": self.sky, "lattices": [self.lattices]}

    def single(self, group):
        path = self.at(f"single/{group}_outlier_i2d.fits")
        frames = [(self.product.member(name).asdict(), v) for name, v in self.product.stack[group]]
        files = [member["path"] for member, _ in frames]
        subtract = self.product.resampled or self.product.against_others
        options = self.options("single_drizzle", frames=frames, subtract=subtract)
        given = {**self.placed, "files": files, "static": self.static}
        return path, self.job("single_drizzle", given, {"single": path}, options, group=group)

    def median_band(self, singles, number, bands):
        path = self.at(f"median/{number:04d}.npz")
        given = {"singles": singles, "grid": self.grid}
        options = self.options("median_band", groups=self.groups, bands=bands)
        self.job("median_band", given, {"band": path}, options, band=f"{number:04d}")
        return path

    def median(self, singles, bands=()):
        path = self.at("p_median.fits")
        given = {"singles": [] if bands else singles, "bands": list(bands), "grid": self.grid}
        return path, self.job("median", given, {"median": path}, self.options("median", groups=self.groups))

    @property
    def groups(self):
        return list(self.product.stack) if self.product.against_others else []

    def crmask(self, member, median):
        name = member["member"]
        mask, crf, blot = self.at(
            f"crmask/{name}_crmask.fits", f"crf/{name}_crf.{self.ending}", f"blot/{name}_blot.fits"
        )
        groups = imaging.own_groups(self.product, name)
        options = self.options("crmask", member=member, groups=groups, off=None)
        singles = [
            self.at(f"single/{group}_outlier_i2d.fits") for group in dict.fromkeys(g for _, g in groups)
        ]
        given = {
            **self.placed,
            "files": [member["path"]],
            "median": [median] if median else [],
            "singles": singles,
        }
        output = {"mask": mask, "crf": crf, "blot": blot}
        return mask, crf, self.job("crmask", given, output, options, member=name)

    def band(self, crfs, number, bands):
        path = self.at(f"mosaic/{number:04d}.npz")
        given = {**self.placed, "crfs": crfs, "members": self.at("members.csv"), "static": self.static}
        options = self.options("mosaic_band", bands=bands)
        self.job("mosaic_band", given, {"band": path}, options, band=f"{number:04d}")
        return path

    def mosaic(self, crfs, bands=()):
        path = self.at("p_i2d.fits")
        given = {**self.placed, "crfs": crfs, "members": self.at("members.csv"), "static": self.static}
        options = self.options("mosaic")
        return path, self.job("mosaic", {**given, "bands": list(bands)}, {"mosaic": path}, options)
