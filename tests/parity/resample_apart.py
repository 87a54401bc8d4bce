"""Cases where the peer is wrong, or stops: our documented answer is compared with what the peer gives for the
case as meant.

Each row of `all_apart` holds ``name``, ``peer`` (what the peer does with the case itself) and either ``row``,
our product against a stand-in that the peer can do (as `resample_compare.compare_case`), or ``ours``.
"""

import copy
from dataclasses import replace

import numpy as np
import resample_compare as both
import stcal.resample.utils
from astropy.modeling import models as forms
from gwcs import WCS
from gwcs import coordinate_frames as frames
from resample_cases import draw, tangent_wcs

from drizzleflow.errors import InputError
from drizzleflow.resample import Resample
from drizzleflow.resample.utils import compute_mean_pixel_area


class Explicit(both.Peer):
    """The peer, told which variance is the weight of variances: ``var_rnoise``; the read noise itself is
    ``var_read``.
    """

    variance_array_names = ["var_rnoise", "var_read", "var_flat", "var_poisson"]
    error_from_variances = ["var_read", "var_flat", "var_poisson"]


def outcome(call):
    """What a call does: the name of its exception (ours: with InputError, of which it is one), or what it
    returns.
    """
    try:
        return call()
    except Exception as error:  # the exception is what is compared
        kind = type(error).__name__
        return f"{kind}, InputError" if isinstance(error, InputError) and kind != "InputError" else kind


def with_explicit_weight(case):
    """Our product against the peer's, whose variances are weighted by the plane that is the weight of the
    data.
    """
    plane = {"ivm": "var_rnoise", "ivm-sky": "var_sky"}[case.options["weight_type"]]
    models = []
    for model in case.models:
        weight = np.ones(model["data"].shape, np.float32) if model[plane] is None else model[plane]
        models.append({**model, "var_rnoise": weight, "var_read": model["var_rnoise"]})
    meant = replace(case, models=models, options={**case.options, "weight_type": "ivm"})

    def renamed(peer):
        product = peer.output_model
        product["var_rnoise"], product["weight_type"] = product.pop("var_read"), case.options["weight_type"]
        return peer

    return both.compare_case(case, meant, Explicit, renamed)


def sky_weights(number):
    """ivm-sky: the peer weights variances by var_rnoise all the same."""
    case = draw(
        number, weight_type="ivm-sky", enable_var=True, compute_err=[None, "from_var", "driz_err"][number % 3]
    )
    row = with_explicit_weight(case)
    ours = both.run(Resample, case, variance="reference").output_model["var_flat"]

    def peers():
        peer = both.run(both.Peer, case).output_model["var_flat"]
        return "the same" if np.allclose(peer, ours, rtol=1e-3, equal_nan=True) else "other variances"

    return {"name": f"ivm-sky {number}", "peer": outcome(peers), "row": row}


def no_read_noise(number):
    """ivm, one image without var_rnoise: the peer stops, or weights its variances by the image before."""
    case = draw(
        number, weight_type="ivm", enable_var=True, compute_err=[None, "from_var", "driz_err"][number % 3]
    )
    case.models.append({**case.models[0], "data": case.models[0]["data"] + 1, "group_id": "another"})
    case.models[0 if number % 2 else -1]["var_rnoise"] = None
    row = with_explicit_weight(case)
    stops = outcome(lambda: both.run(both.Peer, case) and "goes on")
    return {"name": f"no var_rnoise {'first' if number % 2 else 'last'} {number}", "peer": stops, "row": row}


def without_pixels(number, spoil, name):
    """Pixels that `spoil` makes unusable, but that no flag marks: ours count as flagged."""
    case = draw(number, good_bits=0, weight_type="ivm", enable_var=True, compute_err="from_var")
    rng = np.random.default_rng(number)
    spoiled, flagged = [], []
    for model in case.models:
        where = rng.random(model["data"].shape) < 0.003
        bad = spoil(model, where)
        spoiled.append(bad)
        flagged.append({**bad, "dq": np.where(where, model["dq"] | model["dq"].dtype.type(1), model["dq"])})
    case, meant = replace(case, models=spoiled), replace(case, models=flagged)
    peer, reference = (both.run(both.Peer, c).output_model["data"] for c in (case, meant))
    effect = "the same" if np.array_equal(peer, reference, equal_nan=True) else "other data"
    return {"name": f"{name} {number}", "peer": effect, "row": both.compare_case(case, meant)}


def nan_data(model, where):
    return {**model, "data": np.where(where, np.float32(np.nan), model["data"])}


def negative_variance(model, where):
    return {
        **model,
        "var_rnoise": np.where(where, -np.abs(model["var_rnoise"]) - np.float32(1e-3), model["var_rnoise"]),
    }


def error_without_variances(number):
    """from_var without enable_var: the peer gives no error, against its documents."""
    meant = draw(number, weight_type="ivm", enable_var=True, compute_err="from_var")
    case = replace(meant, options={**meant.options, "enable_var": False})
    error = both.run(both.Peer, case).output_model["err"]
    return {
        "name": "from_var alone",
        "peer": "no err" if error is None else "err",
        "row": both.compare_case(case, meant),
    }


def second_product(number):
    """reset_arrays after finalize, and the same images again: the same product."""
    case = draw(
        number,
        enable_var=True,
        weight_type="exptime",
        compute_err="driz_err",
        propagate_dq=True,
        enable_ctx=True,
    )

    def again(cls, **more):
        resample = both.run(cls, case, **more)
        first = copy.deepcopy({key: value for key, value in resample.output_model.items() if key != "wcs"})
        resample.reset_arrays(len(case.models))
        for model in case.models:
            resample.add_model(model)
        resample.finalize()
        second = resample.output_model
        arrays = {key: isinstance(value, np.ndarray) for key, value in first.items()}
        unlike = [key for key in first if not np.array_equal(first[key], second[key], equal_nan=arrays[key])]
        return ", ".join(unlike) or "the same"

    return {
        "name": "second product",
        "peer": outcome(lambda: again(both.Peer)),
        "ours": outcome(lambda: again(Resample)),
    }


def unknown_duration(number):
    """An image without ``duration``: the peer sums the others, ours is not known."""
    case = draw(number, enable_var=False, weight_type="exptime")
    case.models = [
        {**case.models[0], "group_id": group, "duration": time}
        for group, time in enumerate((10.0, None, 20.0))
    ]
    of = {cls: both.run(cls, case).output_model["duration"] for cls in (both.Peer, Resample)}
    return {"name": "duration unknown", "peer": of[both.Peer], "ours": of[Resample]}


def mean_area():
    """The largest relative difference of mean pixel areas in boxes that cut pixels of a bent image, which the
    peer shrinks.
    """
    worst, rng = 0.0, np.random.default_rng(1)
    for _ in range(20):
        (x1, x2), (y1, y2) = rng.uniform(0, 5, (2, 2))
        wcs = tangent_wcs(
            (80, 90),
            (45, 40),
            2e-4,
            1.0,
            bend=rng.uniform(-1e-4, 1e-4, 6),
            box=((x1, 89 - x2), (y1, 79 - y2)),
        )
        worst = max(
            worst, abs(compute_mean_pixel_area(wcs) / stcal.resample.utils.compute_mean_pixel_area(wcs) - 1)
        )
    return {"name": "area in a box that cuts pixels", "peer": 0.0, "ours": float(worst)}


def refusals():
    """name -> what each class does with what cannot be done."""
    wcs = tangent_wcs((40, 40), (20, 20), 2e-4, 0.0)
    model = draw(1).models[0]
    model |= {"wcs": tangent_wcs(model["data"].shape, (20, 20), 2e-4, 0.1), "level": 0.5}
    model |= {name: np.ones_like(model["data"]) for name in ("var_rnoise", "var_flat", "var_poisson")}
    nothing = tangent_wcs((0, 40), (20, 20), 2e-4, 0.0)
    behind = tangent_wcs((70, 70), (35, 35), 2e-4, 0.0, crval=(330.0, -2.0))
    bare = tangent_wcs(None, (20, 20), 2e-4, 0.0)
    cube = spectral_wcs((40, 40))

    def product(cls, changes=None, output=None, **options):
        resample = cls(
            {"wcs": wcs, "pixel_scale": 0.72} if output is None else output, **{"good_bits": None, **options}
        )
        resample.add_model({**model, **(changes or {})})
        resample.finalize()
        return "goes on"

    def late(cls):
        resample = cls({"wcs": wcs, "pixel_scale": 0.72})
        resample.add_model(model)
        resample.finalize()
        resample.add_model(model)

    short = np.ones((5, 5), np.float32)
    calls = {
        "weight_type None": lambda cls: product(cls, weight_type=None),
        "weight_type ivm-smed": lambda cls: product(cls, weight_type="ivm-smed"),
        "weight_type median": lambda cls: product(cls, weight_type="median"),
        "kernel tophat": lambda cls: product(cls, kernel="tophat"),
        "fillval a word": lambda cls: product(cls, fillval="sky"),
        "compute_err a word": lambda cls: product(cls, compute_err="variance"),
        "pixmap_order 2": lambda cls: product(cls, pixmap_order=2),
        "pixmap_order 2, stepsize 5": lambda cls: product(cls, pixmap_order=2, pixmap_stepsize=5),
        "pixfrac -1": lambda cls: product(cls, pixfrac=-1.0),
        "good_bits an unknown flag": lambda cls: product(cls, good_bits="COSMIC"),
        "output_wcs without wcs": lambda cls: product(cls, output={}),
        "output of no pixels": lambda cls: product(cls, output={"wcs": nothing, "pixel_scale": 0.72}),
        "output without shape": lambda cls: product(cls, output={"wcs": bare, "pixel_scale": 0.72}),
        "output of three axes": lambda cls: product(cls, output={"wcs": cube, "pixel_scale": 0.72}),
        "data of three dimensions": lambda cls: product(cls, {"data": np.ones((2, 9, 9), np.float32)}),
        "a key is missing": lambda cls: outcome_without(cls, product, model, "level"),
        "a variance of another shape": lambda cls: product(cls, {"var_flat": short}),
        "exposure_time 0": lambda cls: product(cls, {"exposure_time": 0.0}),
        "exposure_time None": lambda cls: product(cls, {"exposure_time": None, "measurement_time": 5.0}),
        "an image of the other half of the sky": lambda cls: product(cls, {"wcs": behind}),
        "no image": lambda cls: cls({"wcs": wcs, "pixel_scale": 0.72}).finalize(),
        "an image too late": late,
    }
    return [
        {
            "name": name,
            "peer": outcome(lambda c=call: c(both.peer_module.Resample)),
            "ours": outcome(lambda c=call: c(Resample)),
        }
        for name, call in calls.items()
    ]


def outcome_without(cls, product, model, key):
    kept = model.pop(key)
    try:
        return product(cls)
    finally:
        model[key] = kept


def spectral_wcs(shape):
    """Three axes that are not spectral: a frame of numbers."""
    detector = frames.Frame2D(name="detector")
    world = frames.CoordinateFrame(
        3, ("SPATIAL", "SPATIAL", "TIME"), (0, 1, 2), name="world", unit=("deg", "deg", "s")
    )
    wcs = WCS([(detector, forms.Mapping((0, 1, 1), n_inputs=2)), (world, None)])
    wcs.array_shape = shape
    return wcs


def all_apart():
    rows = [sky_weights(number) for number in range(1001, 1009)]
    rows += [no_read_noise(number) for number in range(1021, 1029)]
    rows += [without_pixels(number, nan_data, "NaN without a flag") for number in (1041, 1042, 1043)]
    rows += [without_pixels(number, negative_variance, "negative var_rnoise") for number in (1051, 1052)]
    return [
        *rows,
        error_without_variances(1061),
        second_product(1071),
        unknown_duration(1081),
        mean_area(),
        *refusals(),
    ]
