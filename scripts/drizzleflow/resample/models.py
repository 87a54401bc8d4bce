"""Convert a frame to the model dictionary that the class Resample takes, as in stcal.resample."""

from __future__ import annotations

from drizzleflow.frames.frame import Frame


def frame_model(frame: Frame, pixmap, level: float | None) -> dict:
    """Return a frame as the model dictionary of `drizzleflow.resample.Resample`, in the product's unit.

    Parameters
    ----------
    pixmap : float64 (ny, nx, 2)
        In pixels of the output array.
    level : float or None
        Sky to subtract, in the frame's unit per pixel.
    """
    return {
        "data": frame.to_product(frame.data),
        "dq": frame.dq,
        "err": None if frame.err is None else frame.to_product(frame.err),
        **dict.fromkeys(("var_rnoise", "var_poisson", "var_flat", "var_sky")),
        **{f"var_{key}": frame.to_product(plane, 2) for key, plane in frame.var.items()},
        "pixmap": pixmap,
        "unit": frame.product_unit or frame.unit,
        "filename": frame.member,
        "group_id": frame.group,
        "exposure_time": frame.exposure_time,
        "measurement_time": frame.measurement_time,
        "duration": frame.duration,
        "start_time": frame.start_time,
        "end_time": frame.end_time,
        "level": None if level is None else frame.to_product(level),
        "subtracted": False,
        "pixelarea_steradians": frame.pixelarea_steradians,
        "own_scale_ratio": frame.own_scale_ratio,
    }
