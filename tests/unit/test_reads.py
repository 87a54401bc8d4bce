"""The settings that steps declare are those that their scripts read: all that they have is counted as it is asked for."""

import re
from pathlib import Path

import numpy as np
import pytest
from imaging_by_hand import Road
from other_values import DEFAULTS, NAMES, other_value
from planned import product

from drizzleflow import formats
from drizzleflow.plan import keys, roads
from drizzleflow.plan.roads import STEPS, imaging

ROOT = Path(__file__).parents[2]


class Counted(dict):
    """Settings that keep a list of the keys that are asked for; copies by ``|`` keep the same list."""

    def __init__(self, values, names, seen):
        super().__init__(values)
        self.names, self.seen = names, seen  # key -> the setting's name in full

    def __getitem__(self, key):
        if key in self.names:
            self.seen.add(self.names[key])
        return super().__getitem__(key)

    def get(self, key, default=None):
        return self[key] if key in self else default

    def __or__(self, other):
        names = {key: name for key, name in self.names.items() if key not in other}
        return Counted({**self, **other}, names, self.seen)

    def __ror__(self, other):
        return Counted({**other, **self}, self.names, self.seen)


class Counting(Road):
    """A road whose scripts are given all settings, and counted which they ask for: step -> names."""

    def __init__(self, *args, **more):
        super().__init__(*args, **more)
        self.read: dict[str, set[str]] = {}

    def options(self, step, **facts):
        seen = self.read.setdefault(step, set())
        sections = {
            section: Counted(values, {key: f"{section}.{key}" for key in values}, seen)
            for section, values in self.product.options.items()
        }
        return sections | facts

    def all(self):
        """Every job of the product."""
        self.geometry().levels()
        product, median, crfs = self.product, None, []
        if imaging.compares(product):
            singles = [self.single(group)[0] for group in product.stack]
            median = self.median(singles)[0]
        for member in self.members:
            mask, crf, _ = self.crmask(member, median)
            crfs.append(crf)
            if imaging.cleans(product):
                name = member["member"]
                given = {
                    **self.placed,
                    "files": [member["path"]],
                    "mask": mask,
                    "blot": self.at(f"blot/{name}_blot.fits"),
                }
                output = {"crclean": self.at(f"crclean/{name}_crclean.fits")}
                self.job("crclean", given, output, self.options("crclean", member=member))
        bands = product.bands
        made = [self.band(crfs, number, bands) for number in range(bands)] if bands > 1 else []
        self.mosaic(crfs, made)
        return self


def lists(tmp_path, name, text):
    path = tmp_path / name
    path.write_text(text)
    return str(path)


RUNS = {
    "jwst": ("jwst", {}),
    "jwst preset": ("jwst", {"preset": "jwst"}),
    "hst": ("hst", {"crmask": {"corr": True}}),
    "hst preset": ("hst", {"preset": "hst", "crmask": {"corr": True}}),
    "simple": ("simple", {"mosaic": {"bands": 2}, "simple": {"noise": "measured", "err": None}}),
    "simple in one job": ("simple", {"simple": {"noise": "measured", "err": None}}),
    "simple with the median": (
        "simple",
        {"crmask": {"reference": "median", "noise": "model", "addsky": False}, "simple": {"ivar": None}},
    ),
    "simple without levels": ("simple", {"crmask": {"reference": "median"}, "skymatch": {"skip": True}}),
    "aligned": ("jwst", {"single_drizzle": {"resample_data": False}}),
    "minmed": (
        "jwst",
        {"median": {"combine_type": "minmed"}, "skymatch": {"skymethod": "match", "skystat": "mode"}},
    ),
    "median and ERR": (
        "jwst",
        {"crmask": {"reference": "median"}, "skymatch": {"overlap": "scan", "skystat": "mean"}},
    ),
    "nothing compared": ("jwst", {"outlier_method": "none", "mosaic": {"compute_err": "driz_err"}}),
    "static": (
        "jwst",
        {"static_mask": {"static": True}, "median": {"combine_type": "median", "combine_nlow": 0}},
    ),
}


@pytest.fixture(scope="module")
def counted(tmp_path_factory):
    """name of a run -> (product, step -> settings that were asked for)."""
    keep = formats.reading, formats.get("simple")._settings

    def reading(options):
        options = {name: options.get(name, {}) for name in ("simple", "inputs", "crmask")}
        values, names, seen = {}, {}, None
        for section, wanted in (
            ("simple", options["simple"]),
            ("inputs", ["resetbits"]),
            ("crmask", ["crbit"]),
        ):
            for key in wanted:
                values[key], names[key] = dict.__getitem__(options[section], key), f"{section}.{key}"
            seen = getattr(options[section], "seen", seen)
        return Counted(values, names, seen)

    found = {}
    try:
        formats.reading = reading
        formats.get("simple")._settings = lambda options: options
        for name, (flavour, user) in RUNS.items():
            with np.errstate(all="ignore"):
                made = Counting(tmp_path_factory.mktemp("counted"), flavour, user=user).all()
            found[name] = made.product, made.read
    finally:
        formats.reading, formats.get("simple")._settings = keep
    return found


@pytest.mark.parametrize("name", RUNS)
def test_nothing_is_read_that_is_not_declared(counted, name):
    product, read = counted[name]
    assert {step: sorted(seen - set(STEPS[step].reads(product))) for step, seen in read.items()} == {
        step: [] for step in read
    }


def test_what_is_declared_is_read_in_some_run(counted):
    declared, read = {}, {}
    for made, seen in counted.values():
        for step, names in seen.items():
            declared.setdefault(step, set()).update(STEPS[step].reads(made))
            read.setdefault(step, set()).update(names)
    assert {step: sorted(names - read[step]) for step, names in declared.items()} == {
        step: [] for step in declared
    }


# -- what the rules are given


class Rules:
    """What rules/settings.smk computes for a product, without the engine."""

    def __init__(self, product):
        self.names = {
            "GOOD": {"p": product},
            "CODE": {step: step for step in STEPS},
            "STEPS": STEPS,
            "roads": roads,
            "re": re,
            "members": lambda name: product.members,
        }
        exec(compile((ROOT / "rules/settings.smk").read_text(), "settings.smk", "exec"), self.names)

    def compared(self, step) -> set[str]:
        """The values by which Snakemake decides whether a job of a step is to run again."""
        found = self.names["reads"](step).values()
        return {repr(value) for value in found if not callable(value)}


@pytest.mark.parametrize(
    "format, user", [("jwst", {}), ("hst", {"preset": "hst"}), ("simple", {"mosaic": {"bands": 2}})]
)
def test_a_changed_setting_changes_what_reads_it(format, user):
    """And nothing else."""
    made = product(format=format, **user)
    before, seen = Rules(made), set()
    for name in NAMES:
        section, key = name.split(".")
        value = other_value(section, key)
        if value == made.options[section][key]:  # the preset's
            value = DEFAULTS[section][key]
        merged = {**user, section: {**user.get(section, {}), key: value}}
        if (
            name == "skymatch.skylist"
        ):  # needs skymethod: user, which is another setting; the file is an input
            continue
        if name == "skymatch.skymethod" and value == "auto":
            value = merged["skymatch"]["skymethod"] = "global"
        if (name, value) == ("median.combine_type", "sum"):
            merged["median"]["combine_type"] = "mean"
        after = product(format=format, **merged)
        started = {step for step in STEPS if Rules(after).compared(step) != before.compared(step)}
        reading = {
            step
            for step in STEPS
            for one in (made, after)
            if name in STEPS[step].reads(one) and name not in keys.NEUTRAL
        }
        # what a setting decides beside its own value: which other settings are read
        decides = {
            step for step in STEPS if set(STEPS[step].reads(made)) ^ set(STEPS[step].reads(after)) - {name}
        }
        assert reading <= started <= reading | decides, name
        seen |= {name} if started else set()
    silent = set(NAMES) - seen - keys.NEUTRAL if not user else set()
    assert (
        not {
            name for name in silent if name.split(".")[0] in ("skymatch", "grid", "single_drizzle", "mosaic")
        }
        - UNREAD
    )


#: read by the plan alone, which makes other jobs of them
UNREAD = {"skymatch.masks"}
