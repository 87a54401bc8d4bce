"""The functions of ``stcal.resample.utils`` under their names; `drizzleflow.resample.utils` defines them."""

from drizzleflow.resample.utils import (
    UnsupportedWCSError,
    array_shape,
    build_driz_weight,
    build_mask,
    calc_pixmap,
    check_model,
    compute_mean_pixel_area,
    correlated_noise,
    get_inverse_variance,
    get_tmeasure,
    is_flux_density,
    is_imaging_wcs,
    resample_range,
    sky_wcs,
)

__all__ = [
    "UnsupportedWCSError",
    "array_shape",
    "build_driz_weight",
    "build_mask",
    "calc_pixmap",
    "check_model",
    "compute_mean_pixel_area",
    "correlated_noise",
    "get_inverse_variance",
    "get_tmeasure",
    "is_flux_density",
    "is_imaging_wcs",
    "resample_range",
    "sky_wcs",
]
