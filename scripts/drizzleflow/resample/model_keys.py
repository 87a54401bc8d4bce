"""List the keys of model dictionaries: those that an input model needs, and those of the output model.

`drizzleflow.resample.resample.Resample.add_model` describes the values.
"""

from __future__ import annotations

from drizzleflow.resample.placement import ARCSEC

#: keys that every input model has, beside ``wcs`` or ``pixmap``
REQUIRED = (
    "data",
    "dq",
    "filename",
    "group_id",
    "exposure_time",
    "start_time",
    "end_time",
    "duration",
    "measurement_time",
    "pixelarea_steradians",
    "level",
    "subtracted",
)


def needed_keys(model: dict, variances, compute_err: str | None) -> list[str]:
    """The keys that an input model must have for the options of a resampling.

    Parameters
    ----------
    model : dict
    variances : list of str
        The variances that are resampled.
    compute_err : {None, 'from_var', 'driz_err'}
    """
    position = [] if "pixmap" in model else ["wcs"]
    error = ["err"] if compute_err == "driz_err" else []
    return [*REQUIRED, *position, *error, *variances]


def empty_output_model(wcs, variances, compute_err: str | None, pixel_scale: float | None) -> dict:
    """The output model before anything is added: its arrays are None, its exposure times 0 or unknown.

    Parameters
    ----------
    wcs : gwcs.WCS or drizzleflow.geometry.grid.Grid
        Of the output.
    variances : list of str
        The variances that are resampled.
    compute_err : {None, 'from_var', 'driz_err'}
    pixel_scale : float or None
        Of the output, arcsec.
    """
    return {
        "wcs": wcs,
        **dict.fromkeys(["data", "wht", "con", "dq", *variances]),
        **({"err": None} if compute_err else {}),
        "pixelarea_steradians": pixel_scale and (pixel_scale * ARCSEC) ** 2,
        "pixelarea_arcsecsq": pixel_scale and pixel_scale**2,
        "pointings": 0,
        "exposure_time": 0.0,
        "measurement_time": None,
        "start_time": None,
        "end_time": None,
        "duration": 0.0,
        "elapsed_exposure_time": 0.0,
        "level": None,
        "subtracted": False,
    }
