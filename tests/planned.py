"""Products of a plan made by hand: members without files, with the settings of a configuration."""

from pathlib import Path

from drizzleflow import formats
from drizzleflow.plan import config
from drizzleflow.plan.product import Member, Product

ROOT = Path(__file__).parents[1]
DEFAULTS = config.load(ROOT / "config" / "config.yaml")


def product(
    names=("a", "b", "c"), format="jwst", shape=(100, 200), nframes=1, cube=False, batch=2, **user
) -> Product:
    """A product `p` of one group a member; `user`: settings as in a configuration file."""
    settings = config.resolve(DEFAULTS, user, ROOT / "config" / "presets")
    members = [
        Member(name, f"{name}.fits", "science", name, format, nframes, cube, shape[1], shape[0])
        for name in names
    ]
    options = config.for_product(settings)
    if options["skymatch"]["skymethod"] == "auto":
        options["skymatch"]["skymethod"] = formats.declared(format).skymethod
    return Product(
        "p",
        "p.csv",
        members=members,
        options=options,
        groups={name: [(name, list(range(1, nframes + 1)))] for name in names},
        batch_size=batch,
        format=formats.declared(format),
        methods=tuple(settings["outlier_method"]),
        keeps=settings["save_intermediate_results"],
    )
