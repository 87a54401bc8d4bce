# What jobs ask for: memory by what they hold at their peak, and time. The figures are measured: benchmarks/README.md, "Memory".
import json

# mem_mb is MARGIN times the expected peak in MiB. Snakemake means 10^6 bytes by a MB, most clusters 2^20: a third more than
# the peak where a cluster takes it so, 27 % more where it goes by Snakemake's unit. A job that is tried again asks for more.
MARGIN, FLOOR = 1.33, 200
ENGINE = 130  # for a snakemake process (100 MiB) that starts a cluster's job there; Slurm's executor has two

# step: MiB of the interpreter and its libraries; bytes for each pixel of the largest frame, by the members' format
FRAMES = {
    "sky_overlaps": (52, {"jwst": 29, "roman": 27, "hst": 31, "simple": 35}),
    # sky_overlaps with skystat auto
    "sky_cells": (52, {"jwst": 68, "roman": 68, "hst": 73, "simple": 74}),
    "static_mask": (52, {"jwst": 20, "roman": 20, "hst": 16, "simple": 20}),
    "single_drizzle": (50, {"jwst": 18, "roman": 33, "hst": 36, "simple": 36}),
    "crmask": (50, {"jwst": 80, "roman": 62, "hst": 67, "simple": 67}),
    "crclean": (52, {"hst": 52}),
    "mosaic": (50, {"jwst": 63, "roman": 63, "hst": 75, "simple": 59}),
}
GWCS = 75  # MiB more where a JWST or Roman WCS is evaluated exactly
TABLES = 0.02  # MiB for each frame of a product, where all outlines are read

_grids = {}


def grid_of(input):
    """grid.json as a dictionary. Where it is not there yet Snakemake says <TBD>, and asks again when it is."""
    path = str(input.grid)
    status = os.stat(path)
    version = status.st_mtime_ns, status.st_size
    if path not in _grids or _grids[path][0] != version:
        try:
            with open(path, encoding="utf-8") as file:
                found = json.load(file)
            found = {key: found[key] for key in ("shape", "pixel_scale_ratio", "windows", "tilt")}
            covered = [box for box in found["windows"].values() if box[0] < box[1]]
            x0, x1, y0, y1 = zip(*covered) if covered else [(0,)] * 4
            _grids[path] = version, found | {"extent": (min(x0), max(x1), min(y0), max(y1))}
        except (ValueError, LookupError, TypeError):
            # cut short, or an older version's: it is made anew before anything reads it
            raise FileNotFoundError(2, "not a grid", path)
    return _grids[path][1]


def window_of(input, group):
    windows = grid_of(input)["windows"]
    if group not in windows:  # a grid from before the group came
        raise FileNotFoundError(2, f"no window of {group} yet", str(input.grid))
    return windows[group]


def resampled(product):
    return GOOD[product].options["single_drizzle"]["resample_data"]


def area(box):
    return (box[1] - box[0]) * (box[3] - box[2])


def of_frame(product, step, settings):
    """MiB, and bytes for each pixel of a frame, of a step with its settings."""
    (base, each), (libraries, more) = FRAMES[step], exact(product, settings)
    # a format that a step does not take fails in its job, with a reason
    return base + libraries, each.get(members(product)[0].format, max(each.values())) + more


def exact(product, settings):
    """MiB, and bytes a pixel of a frame, that a step's settings add where they ask for exact coordinates."""
    step = settings.get("pixmap_stepsize", "auto")
    dense = step not in ("auto", "astrodrizzle") and step <= 1
    gwcs = members(product)[0].format in ("jwst", "roman")
    libraries = GWCS if gwcs and (step == "astrodrizzle" or dense or settings.get("overlap") == "scan") else 0
    return libraries, 22 if step == "astrodrizzle" else 5 * dense


def asked(peak, attempt):
    engines = 0 if workflow.local_exec else 2 if workflow.executor_plugin.name == "slurm" else 1
    return attempt * max(FLOOR, int(MARGIN * peak)) + engines * ENGINE


def by_cells(product):
    """Whether skies are compared in cells of the sky."""
    return GOOD[product].options["skymatch"]["skystat"] == "auto"


def frame_memory(step, section):
    """mem_mb of a step that goes through its members' frames one by one."""

    def mem_mb(wildcards, attempt):
        product = wildcards.product
        known = "sky_cells" if step == "sky_overlaps" and by_cells(product) else step
        base, each = of_frame(product, known, GOOD[product].options[section])
        names = GOOD[product].batches[wildcards.batch] if hasattr(wildcards, "batch") else None
        names = [wildcards.member] if hasattr(wildcards, "member") else names
        return asked(base + each * frame_pixels(product, names) / 2**20, attempt)

    return mem_mb


def constant(peak):
    return lambda wildcards, attempt: asked(peak, attempt)


def grid_memory(wildcards, attempt):
    return asked(112 + TABLES * sum(m.nframes for m in members(wildcards.product)), attempt)


def skymatch_memory(wildcards, input, attempt):
    """The tables, the cells of up to 32 frames, and the differences of two."""
    frames = sum(m.nframes for m in members(wildcards.product))
    cells = sum(os.path.getsize(file) for file in input.cells) / frames / 2**20
    return asked(80 + TABLES * frames + (min(frames, 32) + 6) * cells, attempt)


def records_memory(each, libraries=30):
    """MiB for each MB of records."""
    return lambda wildcards, input, attempt: asked(libraries + each * input.size_mb, attempt)


def single_memory(wildcards, input, attempt):
    """All frames of a group, their pixel maps, and the window that they cover."""
    product, group = wildcards.product, wildcards.group
    settings = GOOD[product].options["single_drizzle"]
    base, each = of_frame(product, "single_drizzle", settings)
    kept = 28
    if settings["weight_type"] == "exptime":  # no variances
        kept, each = kept - 4, each - 18
    held = [GOOD[product].member(name) for name, extvers in STACK[product][group] for _ in extvers]
    pixels = [m.nx * m.ny for m in held]
    covered = area(window_of(input, group)) if resampled(product) else sum(pixels)
    return asked(base + (each * max(pixels) + kept * sum(pixels) + 16 * covered) / 2**20, attempt)


def median_memory(wildcards, input, attempt):
    """The combined image, with what writing it adds or the sections of the stack."""
    product, settings = wildcards.product, GOOD[wildcards.product].options["median"]
    pixels = area(grid_of(input)["extent"]) if resampled(product) else frame_pixels(product)
    kept = 10 if settings["combine_type"] == "auto" else 6
    section = min((settings["combine_bufsize"] or 1) * 2**20, 8 * pixels)
    held = kept * pixels + max(6 * pixels, section * (0.8 * len(STACK[product]) + 2.6))
    return asked(48 + held / 2**20, attempt)


def crmask_memory(wildcards, input, attempt):
    """One frame and its pixel map, or the copy of the input with the masks and blots of all its frames."""
    product, member = wildcards.product, GOOD[wildcards.product].member(wildcards.member)
    base, each = of_frame(product, "crmask", GOOD[product].options["single_drizzle"])
    if resampled(product):
        each += 7 * (grid_of(input)["pixel_scale_ratio"] ** -2 - 1)  # the part of the median under the frame
    held = max(each + 14 * (member.nframes - 1), 60 * member.nframes if member.cube else 0)
    return asked(base + held * member.nx * member.ny / 2**20, attempt)


def mosaic_memory(wildcards, input, attempt):
    """The planes of a band, with the rows of a frame that reach it, or what finishing adds."""
    product = wildcards.product
    settings, grid = GOOD[product].options["mosaic"], grid_of(input)
    base, each = of_frame(product, "mosaic", settings)
    by_rows = members(product)[0].format in ("jwst", "roman")  # others read whole frames
    rows, width = -(-grid["shape"][0] // bands(product)), grid["shape"][1]
    context = -(-sum(m.nframes for m in members(product)) // 32) if settings["context"] == "full" else 0
    if "bands" in input.keys() and input.bands:  # made: they are put together plane by plane
        return asked(FRAMES["mosaic"][0] + rows * width * (12 + 4 * context) / 2**20, attempt)
    planes = 2 + context + settings["propagate_dq"]
    if settings["report_var"] or settings["compute_err"] == "from_var":
        planes += 3 if by_rows else 1
    if settings["compute_err"] == "driz_err":
        planes, each = planes + 3, each + 4
    if settings["variance"] == "reference":
        planes, each = planes + 6, each + 40
    tilt, needed = grid["tilt"], rows * grid["pixel_scale_ratio"] * (1 + grid["tilt"])
    reach = max(m.nx * (min(m.ny, needed + m.nx * tilt) if by_rows else m.ny) for m in members(product))
    held = 4 * planes * rows * width + max(each * reach, 12 * rows * width)
    return asked(base + held / 2**20, attempt)


def minutes(pixels, per_megapixel=0.02):
    return int(10 + per_megapixel * pixels / 1e6)
