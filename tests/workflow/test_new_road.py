"""A road is a declaration, a file of rules and its scripts: one of two steps, put beside the others, has all
that a road has.
"""

import numpy as np
import pytest
from astropy.io import fits
from running import write_table
from runs import call, complete, copy_checkout, jobs

DECLARED = '''"""Time series: the integrations of an exposure are compared with their median."""

from drizzleflow.plan.layout import INTERMEDIATE, MEMBER, MEMBERS, PROVENANCE, REPORT, File, Road, Step

ROAD = Road(
    "tso",
    (
        MEMBERS,
        Step(
            "tso_median",
            MEMBER,
            {"median": File("median/{member}_median.fits", INTERMEDIATE)},
            exposures=("median",),
        ),
        Step(
            "tso_crmask",
            MEMBER,
            {"mask": File("crmask/{member}_crmask.fits", target=True)},
            flags=True,
        ),
        REPORT,
        PROVENANCE,
    ),
    ("tso",),
)
'''

RULES = """
rule tso_median:
    input:
        files=lambda wc: member_files(wc.product, [wc.member]),
    output:
        **outputs("tso_median"),
    log:
        log_of("tso_median"),
    wildcard_constraints:
        product=products_of("tso"),
    resources:
        mem_mb=memory(60),
        runtime=by_input,
    params:
        opts=lambda wc: {"member": GOOD[wc.product].member(wc.member).asdict()},
        code=CODE["tso_median"],
    script:
        "../scripts/tso_median.py"


rule tso_crmask:
    input:
        files=lambda wc: member_files(wc.product, [wc.member]),
        median=at("tso_median", "median"),
    output:
        **outputs("tso_crmask"),
    log:
        log_of("tso_crmask"),
    wildcard_constraints:
        product=products_of("tso"),
    resources:
        mem_mb=memory(60),
        runtime=by_input,
    params:
        opts=lambda wc: {"member": GOOD[wc.product].member(wc.member).asdict()},
        code=CODE["tso_crmask"],
    script:
        "../scripts/tso_crmask.py"
"""

SCRIPTS = {
    "tso_median": '''"""tso_median: the median of an exposure's integrations."""

import numpy as np
from astropy.io import fits

from drizzleflow.io.fits import image_header, write_hdus
from drizzleflow.jobs import record

with record.job(snakemake) as job:
    made = np.median(fits.getdata(job.input.files[0], "SCI"), axis=0).astype(np.float32)
    write_hdus(job.output.median, [(image_header(None, primary=True), None), (image_header(made, "SCI"), made)])
    job.thumbnail("median", made)
''',
    "tso_crmask": '''"""tso_crmask: which pixels of an integration are far above the median."""

import numpy as np
from astropy.io import fits

from drizzleflow.io.fits import image_header, write_hdus
from drizzleflow.jobs import record

with record.job(snakemake) as job:
    data, median = fits.getdata(job.input.files[0], "SCI"), fits.getdata(job.input.median, "SCI")
    mask = (data - median > 5).astype(np.uint8)
    write_hdus(job.output.mask, [(image_header(None, primary=True), None), (image_header(mask, "CRMASK"), mask)])
    name = job.options["member"]["member"]
    frames = [{"member": name, "extver": n + 1, "flagged": int(p.sum()), "npix": p.size} for n, p in enumerate(mask)]
    job.statistics.update(frames=frames)
''',
}


def write(path, exp_type: str, shape) -> None:
    """A JWST exposure, as far as the plan and the two scripts look at it; the last pixel of the first
    integration is hit.
    """
    primary = fits.PrimaryHDU()
    primary.header.update(TELESCOP="JWST", INSTRUME="NIRCAM", EXP_TYPE=exp_type, EFFEXPTM=10.0)
    data = np.random.default_rng(1).normal(size=shape).astype("f4").clip(-2, 2)
    data.reshape(-1, *shape[-2:])[0, -1, -1] = 100
    planes = [fits.ImageHDU(data, name="SCI"), fits.ImageHDU(np.ones(shape, "f4"), name="ERR")]
    fits.HDUList([primary, *planes]).writeto(path)


@pytest.fixture(scope="module")
def checkout(tmp_path_factory):
    """A copy of this checkout with four new files."""
    repo = copy_checkout(tmp_path_factory.mktemp("checkout"))
    (repo / "scripts/drizzleflow/plan/roads/tso.py").write_text(DECLARED)
    (repo / "rules/tso.smk").write_text(RULES)
    for name, text in SCRIPTS.items():
        (repo / f"scripts/{name}.py").write_text(text)
    return repo


def test_a_declared_road_has_targets_records_report_and_audit(checkout, tmp_path):
    for name in ("one", "two"):
        write(tmp_path / f"{name}_calints.fits", "NRC_TSIMAGE", (5, 16, 16))
    write_table(tmp_path / "series.csv", "path", ["one_calints.fits", "two_calints.fits"])
    config = {"associations": "series.csv", "save_intermediate_results": False}
    said = complete(tmp_path, config, repo=checkout)
    made = {"members": 1, "tso_median": 2, "tso_crmask": 2, "report_product": 1, "provenance": 1}
    assert jobs(said) == made
    product = tmp_path / "results/series"
    assert {str(path.relative_to(product)) for path in product.rglob("*.*") if path.parent.name != "benchmark"} == {
        "members.csv",
        "crmask/one_crmask.fits",
        "crmask/two_crmask.fits",
        "report.html",
        "frames.csv",
        "checks.json",
        "provenance.json",
        *(f"{folder}/{step}.{end}" for folder, end in (("record", "json"), ("log", "log")) for step in
          ("members", "report", "provenance", *(f"tso_{s}/{m}" for s in ("median", "crmask") for m in ("one", "two")))),
    }  # fmt: skip
    assert fits.getdata(product / "crmask/one_crmask.fits").sum() == 1
    page = (product / "report.html").read_text()
    assert "<td>tso_median</td>" in page and "<td>tso_crmask</td>" in page and 'alt="one"' in page
    assert "2 (0.0781 % of 2,560 in 10 frames)" in page
    assert "tso_crmask" in (product / "provenance.json").read_text()

    status, said = call(tmp_path, config, "audit", repo=checkout)
    assert status == 0 and "audit: every file is what its record says" in said, said[-2000:]
    mask = product / "crmask/one_crmask.fits"
    mask.write_bytes(mask.read_bytes()[:-1] + b"x")
    status, said = call(tmp_path, config, "audit", repo=checkout)
    assert status and "altered: results/series/crmask/one_crmask.fits" in said


def test_two_roads_in_one_run(checkout, tmp_path):
    """Both write crmask/: each by its own rule."""
    write(tmp_path / "one_calints.fits", "NRC_TSIMAGE", (5, 16, 16))
    write(tmp_path / "two_cal.fits", "NRC_IMAGE", (16, 16))
    for name, file in (("series", "one_calints.fits"), ("field", "two_cal.fits")):
        write_table(tmp_path / f"{name}.csv", "path", [file])
    config = {"associations": ["series.csv", "field.csv"]}
    planned = jobs(complete(tmp_path, config, "--dry-run", repo=checkout))
    assert {
        "tso_crmask": 1,
        "tso_median": 1,
        "crmask_member": 1,
        "mosaic_product": 1,
        "members": 2,
    }.items() <= planned.items()
    assert (
        jobs(complete(tmp_path, config, "--dry-run", "mosaic", repo=checkout))
        .keys()
        .isdisjoint({"tso_median"})
    )
