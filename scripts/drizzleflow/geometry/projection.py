"""Output grids that are not a plain tangent plane; astropy.wcs or gwcs evaluates them."""

from __future__ import annotations

from functools import cache


class Projection:
    """The WCS of an output grid that is not a plain tangent plane.

    Attributes
    ----------
    to_pixel, to_sky : callable
        (lon, lat) in ICRS degrees -> (x, y), 0-based pixels of the whole grid, and back.
    cards : callable
        (origin, shape) -> cards (keyword, value, comment) of the FITS WCS of a part of the grid, given the
        (x, y) of its first pixel and its (ny, nx).
    """

    def __init__(self, to_pixel, to_sky, cards):
        self.to_pixel, self.to_sky, self.cards = to_pixel, to_sky, cards


@cache
def projection(text: str) -> Projection:
    """Return the projection of a grid's ``custom`` text: a FITS header, or ``asdf:`` and a file's path."""
    return from_asdf(text.removeprefix("asdf:")) if text.startswith("asdf:") else from_header(text)


def from_header(text: str) -> Projection:
    """Return the projection of a FITS header, given as text with one card on each line."""
    from astropy.io import fits

    from drizzleflow.geometry.fits_wcs import from_astropy

    wcs = two_axes(fits.Header.fromstring(text, sep="\n"))
    sky = from_astropy(wcs, (1, 1))  # it returns ICRS, whatever the header's frame

    def cards(origin, shape):
        header = wcs.to_header(relax=True)
        for axis in (1, 2):
            header[f"CRPIX{axis}"] = wcs.wcs.crpix[axis - 1] - origin[axis - 1]
        return [(c.keyword, c.value, c.comment) for c in header.cards]

    return Projection(sky.to_pixel, sky.to_sky, cards)


def two_axes(header):
    """Return the `astropy.wcs.WCS` of a header's first two axes."""
    from astropy.wcs import WCS

    wcs = WCS(header)
    return wcs if wcs.naxis == 2 else wcs.sub([1, 2])


def from_asdf(path: str) -> Projection:
    """Return the projection of the GWCS in the entry ``wcs`` of an ASDF file."""
    return of_gwcs(tree_of(path)["wcs"])


def tree_of(path: str) -> dict:
    """Return the tree of a user's ASDF file: the GWCS ``wcs``, and the shape if it is given."""
    from drizzleflow.io.asdf_trees import read_tree

    with open(path, "rb") as file:
        return read_tree(file.read(), f"grid.output_wcs: {path}")


def of_gwcs(wcs) -> Projection:
    from drizzleflow.geometry.gwcs_wcs import from_gwcs

    def cards(origin, shape):
        box = tuple((first - 0.5, first + n - 0.5) for first, n in zip(origin, shape[::-1], strict=True))
        header = wcs.to_fits_sip(max_pix_error=1e-4, bounding_box=box)
        for axis in (1, 2):
            header[f"CRPIX{axis}"] -= origin[axis - 1]
        drop = (
            "SIMPLE",
            "BITPIX",
            "NAXIS",
            "NAXIS1",
            "NAXIS2",
            "EXTEND",
            "XTENSION",
            "PCOUNT",
            "GCOUNT",
            "EXTNAME",
        )
        return [(c.keyword, c.value, c.comment) for c in header.cards if c.keyword not in drop]

    sky = from_gwcs(wcs, (1, 1), {})
    return Projection(sky.to_pixel, sky.to_sky, cards)
