"""Configurations and models drawn at random for the comparison of two resampling classes
(`peer_resample.py`).

A configuration is a function of its number alone: the same numbers on every machine. Imported by the *peer's*
interpreter.
"""

from dataclasses import dataclass, field

import numpy as np
from astropy import units
from astropy.coordinates import ICRS
from astropy.modeling import models as forms
from astropy.nddata.bitmask import bitfield_to_boolean_mask, extend_bit_flag_map
from gwcs import WCS
from gwcs import coordinate_frames as frames

SEED = 20261121
SCALE = (
    2.0e-4  #: degrees a pixel of the first image: areas of small images in steradians are well above rounding
)
FLAGS = {
    "DO_NOT_USE": 1,
    "SATURATED": 2,
    "JUMP_DET": 4,
    "DROPOUT": 8,
    "OUTLIER": 16,
    "HOT": 2048,
    "REFERENCE_PIXEL": 2**31,
}
FLAG_MAPS = {"dict": FLAGS, "map": extend_bit_flag_map("Flags", **FLAGS)}
VARIANCES = ("var_rnoise", "var_flat", "var_poisson")

KERNELS = ("square", "gaussian", "point", "turbo", "lanczos2", "lanczos3")
NUMBERS = (
    0,
    4,
    2048 + 16,
    3,
    None,
    "4,8",
    "4+8",
    "4|8",
    "16, 2048",
    "12",
    "~1",
    "~1,2",
    "~1+16",
    "~3",
    "0",
    "~0",
    "None",
    [4, 8],
)
NAMES = (
    "JUMP_DET, DROPOUT",
    "JUMP_DET+HOT",
    "JUMP_DET|SATURATED",
    "~DO_NOT_USE",
    "~DO_NOT_USE+OUTLIER",
    "~DO_NOT_USE, HOT",
    "REFERENCE_PIXEL",
    "~REFERENCE_PIXEL,DO_NOT_USE",
    ["JUMP_DET", "HOT"],
)
FILLS = (0.0, -1.5, "NAN", "nan", None, "INDEF", "2.5", 7)


@dataclass
class Case:
    """One configuration: what both classes are given."""

    number: int
    output: dict  #: ``output_wcs`` of the constructor
    options: dict  #: its other arguments
    flag_map: str | None  #: a key of `FLAG_MAPS`
    models: list = field(default_factory=list)

    def words(self):
        """The configuration in a line."""
        given = {key: value for key, value in self.output.items() if key != "wcs"}
        about = {
            "models": len(self.models),
            "shape": self.output["wcs"].array_shape,
            "flags": self.flag_map,
            **given,
        }
        return ", ".join(f"{key}={value!r}" for key, value in {**self.options, **about}.items())


def tangent_wcs(shape, crpix, scale, angle, crval=(150.0, 2.0), parity=-1, bend=None, box=None):
    """A gwcs of a tangent plane; `bend`: 3 coefficients of second order for each axis, in 1 / px."""
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    transform = forms.Shift(-crpix[0]) & forms.Shift(-crpix[1])
    if bend is not None:
        bent = [
            forms.Polynomial2D(2, **{f"c{own}": 1.0, "c2_0": c[0], "c1_1": c[1], "c0_2": c[2]})
            for own, c in zip(("1_0", "0_1"), np.reshape(bend, (2, 3)), strict=True)
        ]
        transform = transform | forms.Mapping((0, 1, 0, 1)) | (bent[0] & bent[1])
    transform = (
        transform
        | forms.AffineTransformation2D(np.diag([parity, 1.0]) @ turn)
        | (forms.Scale(scale) & forms.Scale(scale))
        | forms.Pix2Sky_TAN()
        | forms.RotateNative2Celestial(crval[0], crval[1], 180.0)
    )
    detector = frames.Frame2D(name="detector", unit=(units.pix, units.pix))
    sky = frames.CelestialFrame(name="world", reference_frame=ICRS(), unit=(units.deg, units.deg))
    wcs = WCS([(detector, transform), (sky, None)])
    wcs.array_shape = shape
    wcs.bounding_box = box
    return wcs


def draw(number, **forced):
    """Configuration `number`; `forced` are options that are not drawn."""
    rng = np.random.default_rng([SEED, number])
    many = number % 67 == 0  # so many images that the context has a second plane
    ratio = float(rng.choice([0.5, 0.7, 1.0, 1.0, 1.3, 2.0, rng.uniform(0.5, 2.0)]))
    shape = tuple(int(n) for n in (rng.integers(24, 36, 2) if many else rng.integers(60, 121, 2)))
    size = tuple(int(n) for n in np.ceil(np.array(shape) / ratio * rng.uniform(0.8, 1.3, 2)))
    crval = (float(rng.choice([150.0, 0.0, 359.9999])), float(rng.choice([2.0, -60.0])))
    output_angle = float(rng.choice([0.0, rng.uniform(-np.pi, np.pi)]))
    place = {"crval": crval, "parity": -1}
    middle = (size[1] / 2 + rng.uniform(-3, 3), size[0] / 2 + rng.uniform(-3, 3))
    box = [None, ((-0.5, size[1] - 0.5), (-0.5, size[0] - 0.5))][int(rng.integers(2))]
    output = {"wcs": tangent_wcs(size, middle, SCALE * ratio, output_angle, box=box, **place)}
    if rng.random() < 0.5:
        output["pixel_scale"] = SCALE * ratio * 3600
    if rng.random() < 0.2:
        output["pixel_scale_ratio"] = ratio
    flag_map = [None, "dict", "map"][int(rng.integers(3))]
    options = draw_options(rng, flag_map, 40 if many else None) | forced
    case = Case(number, output, options, flag_map)
    images = 40 if many else int(rng.integers(1, 5))
    groups = [int(rng.integers(1 + images // 2)) for _ in range(images)]
    times = rng.uniform(50, 900, (images, 3))
    texts = rng.random() < 0.5
    for index in range(images):
        group = groups[index]
        model = draw_model(
            rng, shape, case, index, {**place, "angle": output_angle, "crpix": middle, "ratio": ratio}
        )
        model["group_id"] = f"jw{group:05d}" if texts else group
        model["exposure_time"] = float(times[group][0])
        model["measurement_time"] = None if rng.random() < 0.2 else float(times[group][1])
        model["duration"] = float(times[group][2])
        model["start_time"] = 60000.0 + group
        model["end_time"] = 60000.0 + group + model["duration"] / 86400
        case.models.append(model)
    return case


def draw_options(rng, flag_map, many):
    """Arguments of the constructor besides the output WCS."""

    def one(values):
        return values[int(rng.integers(len(values)))]

    weight = one(("ivm", "ivm", "exptime", "exptime", "ivm-sky"))
    compute_err = one((None, "from_var", "driz_err"))
    # the peer's variances are weighted by var_rnoise even for ivm-sky: those configurations are in
    # `resample_apart`
    enable_var = weight != "ivm-sky" and (compute_err == "from_var" or rng.random() < 0.6)
    if not enable_var and compute_err == "from_var":
        compute_err = one((None, "driz_err"))
    options = {
        "kernel": one(KERNELS),
        "pixfrac": one((1.0, 1.0, 0.8, 0.6, 0.3, float(rng.uniform(0.05, 1)))),
        "fillval": one(FILLS),
        "weight_type": weight,
        "good_bits": one(NUMBERS + NAMES if flag_map else NUMBERS),
        "enable_ctx": bool(many) or rng.random() < 0.8,
        "enable_var": enable_var,
        "compute_err": compute_err,
        "propagate_dq": rng.random() < 0.6,
        "pixmap_stepsize": one((1, 1, 5, 10, 1000)),
        "pixmap_order": one((1, 3)),
    }
    if many and rng.random() < 0.6:
        options["n_input_models"] = many
    if options["kernel"].startswith("lanczos"):
        options["pixfrac"] = 1.0  # a kernel without a drop: drizzle takes no other
    return options


def draw_model(rng, shape, case, index, target):
    """One image: arrays and WCS, not yet its times; `target` says where the output lies."""
    ny, nx = shape = tuple(n + int(rng.integers(-8, 9)) for n in shape)
    scale = SCALE if index == 0 else SCALE * float(rng.uniform(0.9, 1.1))
    crpix = np.array([nx / 2, ny / 2]) + rng.uniform(-0.3, 0.3, 2) * min(shape)
    angle = float(rng.uniform(-np.pi, np.pi))
    bend = rng.uniform(-1e-4, 1e-4, 6) if rng.random() < 0.3 else None
    # its pixels' edges lie on edges of the output's (not for lanczos, which is 0 a whole pixel away, or
    # rounding's +-1e-17)
    if (
        target["ratio"] in (0.5, 1.0)
        and rng.random() < 0.2
        and not case.options["kernel"].startswith("lanczos")
    ):
        scale, angle, bend = SCALE, target["angle"], None
        crpix = np.array(target["crpix"]) + np.round(crpix - target["crpix"])
    if index and rng.random() < 0.05:
        crpix = crpix + 1000  # it does not meet the output
    place = {key: target[key] for key in ("crval", "parity")}
    box = draw_box(rng, shape)
    wcs = tangent_wcs(shape, crpix, scale, angle, bend=bend, box=box, **place)
    y, x = np.mgrid[:ny, :nx]
    noise = float(rng.uniform(0.02, 0.5))
    data = (1.5 + np.sin(x / 3.0) + np.cos(y / 5.0) + noise * rng.standard_normal(shape)).astype(np.float32)
    dq = np.zeros(shape, np.uint32)
    for bit in FLAGS.values():
        dq[rng.random(shape) < 0.02] |= np.uint32(bit)
    if rng.random() < 0.2:
        dq = (dq & np.uint32(2**31 - 1)).astype(np.int32)
    # the peer lets a NaN that has a weight blank all that it touches: see `resample_apart`
    ignored = {"ignore_flags": case.options["good_bits"], "flag_name_map": FLAG_MAPS.get(case.flag_map)}
    bad = bitfield_to_boolean_mask(dq, **ignored, good_mask_value=0, dtype=bool)
    data[bad & (rng.random(shape) < 0.5)] = np.nan
    model = {
        "data": data,
        "dq": dq,
        "filename": f"image{index}",
        "wcs": wcs,
        "level": None,
        "subtracted": False,
        "pixelarea_steradians": float(np.radians(scale) ** 2),
        "bunit_data": "MJy/sr",
    }
    if rng.random() < 0.7:
        model["level"] = float(rng.uniform(-1, 1))
        model["subtracted"] = [False, True, None][int(rng.integers(3))]
    # the mean area in a box that cuts pixels is taken of a row more or less: see `resample_apart`
    if rng.random() < 0.2 and (box is None or not np.any(np.subtract(box, 0.5) % 1)):
        model["pixelarea_steradians"] = None
    for name in (*VARIANCES, "var_sky"):
        plane = (noise**2 * rng.uniform(0.5, 2.0, shape)).astype(np.float32)
        plane[rng.random(shape) < 0.01] = np.nan
        plane[rng.random(shape) < 0.01] = 0
        if name == "var_sky":
            plane[rng.random(shape) < 0.01] = np.inf
        model[name] = plane
    model["err"] = np.sqrt(np.nansum([model[name] for name in VARIANCES], axis=0)).astype(np.float32)
    # any may be missing; but where var_rnoise is the weight of variances, the peer then stops: see
    # `resample_apart`
    needed = ("var_rnoise",) if case.options["weight_type"] == "ivm" and case.options["enable_var"] else ()
    for name in (*VARIANCES, "var_sky"):
        if rng.random() < 0.1 and name not in needed:
            model[name] = None
    return model


def draw_box(rng, shape):
    """A bounding box ((x1, x2), (y1, y2)): none, the image's, or one that is smaller, with any edges."""
    ny, nx = shape
    kind = int(rng.integers(4))
    if kind == 0:
        return None
    if kind == 1:
        return ((-0.5, nx - 0.5), (-0.5, ny - 0.5))
    edges = rng.uniform(0, 9, 4) if kind == 2 else rng.integers(0, 9, 4) - 0.5
    return ((float(edges[0]), float(nx - 1 - edges[1])), (float(edges[2]), float(ny - 1 - edges[3])))
