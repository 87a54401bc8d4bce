"""Check values of the configuration against each other, and find those that do nothing."""

from __future__ import annotations

import math

from drizzleflow.errors import InputError
from drizzleflow.plan.config_schema import show

#: crmask.reference -> the keys that count with it alone, by section
ONLY_WITH = {
    "others": {
        "median": ("clip_nsigma", "clip_slope", "clip_low"),
        "crmask": (
            "snr_beside",
            "snr_negative",
            "match",
            "tolerance",
            "noise_range",
            "template_noise",
            "sharp",
        ),
    },
    "median": {
        "crmask": (
            "scale",
            "backg",
            "err_nan",
            "median_err",
            "sky_counted",
            "gain_counted",
            "empty",
            "derivative_edges",
            "addsky",
            "skyval",
        )
    },
}


def check_together(options) -> None:
    """Check values that depend on each other.

    Parameters
    ----------
    options : dict
        Sections, as `drizzleflow.plan.config.for_product` returns them.

    Raises
    ------
    InputError
        Two values contradict each other, or a number of a pair is out of range.
    """
    sky = options.get("skymatch", {})
    if sky.get("lower") is not None and sky.get("upper") is not None and sky["lower"] >= sky["upper"]:
        raise InputError(
            f"configuration: skymatch.lower is {sky['lower']}, "
            f"expected less than skymatch.upper ({sky['upper']})"
        )
    if (sky.get("skymethod") == "user") != (sky.get("skylist") is not None):
        raise InputError(
            f"configuration: skymatch.skymethod is {sky.get('skymethod')} "
            f"and skymatch.skylist is {show(sky.get('skylist'))}, "
            "expected user with a file, or another method without"
        )
    crval = options.get("grid", {}).get("crval")
    if crval and not (-360 <= crval[0] <= 360 and -90 <= crval[1] <= 90):
        raise InputError(
            f"configuration: grid.crval is {crval}, expected [RA, Dec] in degrees, Dec from -90 to 90"
        )
    pairs = {
        "crmask": ("snr", "snr_beside", "snr_negative", "scale", "noise_range"),
        "median": ("clip_nsigma", "clip_low"),
    }
    for section, keys in pairs.items():
        for key in keys:
            text = options.get(section, {}).get(key)
            if text is not None and (bad := [v for v in map(float, text.split()) if not math.isfinite(v)]):
                raise InputError(
                    f"configuration: {section}.{key} is {text!r}, expected finite numbers, not {bad[0]}"
                )
    crmask = options.get("crmask", {})
    for key in ("snr", "noise_range"):
        if crmask.get(key) is not None and min(map(float, crmask[key].split())) <= 0:
            raise InputError(f"configuration: crmask.{key} is {crmask[key]!r}, expected two numbers > 0")
    low, high = map(float, crmask.get("noise_range", "0 1").split())
    if low > high:
        raise InputError(
            f"configuration: crmask.noise_range is {crmask['noise_range']!r}, expected the lower limit first"
        )
    if crmask.get("reference") == "others" and options["median"]["combine_type"] == "sum":
        raise InputError(
            "configuration: median.combine_type is sum, and exposures are compared with the mean of the others "
            "(crmask.reference: others), expected another combine_type"
        )


def unused(options, layers) -> list[str]:
    """Return a line for each key of some layers that the value of ``crmask.reference`` takes no notice of."""
    reference = options["crmask"]["reference"]
    return [
        f"{section}.{key} has no effect: crmask.reference is {reference}; it counts with {other} alone"
        for other, sections in ONLY_WITH.items()
        if other != reference
        for section, keys in sections.items()
        for key in keys
        if any(key in layer.get(section, {}) for layer in layers)
    ]
