"""Small pictures of large images, kept in the records from which the report is made."""

from __future__ import annotations

import base64
import io

import numpy as np

SOFTENING = 0.1  #: fraction of the range below which the asinh stretch is about linear


def block_mean(array, size: int = 256) -> np.ndarray:
    """The means of an image's finite pixels in square blocks, at most `size` of them on a side.

    One row of blocks is worked on at a time: the memory does not grow with the image.

    Parameters
    ----------
    array : (ny, nx) array of any real type
    size : int
        The largest side of the result.

    Returns
    -------
    float64 array; NaN where a block has no finite pixel
    """
    ny, nx = array.shape
    step = max(1, -(-max(ny, nx) // size))
    starts = np.arange(0, nx, step)
    result = np.empty((-(-ny // step), len(starts)))
    for row in range(len(result)):
        strip = np.asarray(array[row * step : (row + 1) * step], dtype=float)
        good = np.isfinite(strip)
        total = np.add.reduceat(np.where(good, strip, 0.0).sum(axis=0), starts)
        count = np.add.reduceat(good.sum(axis=0), starts)
        result[row] = np.divide(total, count, out=np.full(len(starts), np.nan), where=count > 0)
    return result


def limits(image) -> tuple[float, float]:
    """The values shown black and white: the percentiles 1 and 99.5, or the extremes where these are equal."""
    good = image[np.isfinite(image)]
    if not good.size:
        return 0.0, 1.0
    low, high = np.percentile(good, (1.0, 99.5))
    if not high > low:
        low, high = good.min(), good.max()
    return float(low), float(high) if high > low else float(low) + 1.0


def png(
    array, mask=None, size: int = 256, stretch: tuple[float, float | None] | None = None
) -> tuple[str, tuple]:
    """A small grayscale PNG of an image.

    The stretch is asinh, the first row is at the bottom, and blocks without data are black.

    Parameters
    ----------
    array : (ny, nx) real array
    mask : (ny, nx) array, optional
        Blocks with a non-zero pixel are red.
    size : int
        Largest side of the picture, pixels.
    stretch : (low, high), optional
        The values shown black and white, so that two pictures can be compared; by default those of `limits`.
        A `high` of None is that of `limits`.

    Returns
    -------
    text : str
        The PNG in base64.
    stretch : (low, high)
        The values shown black and white.
    """
    from PIL import Image

    image = block_mean(array, size)
    low, high = stretch or limits(image)
    if high is None:
        high = limits(np.append(image, low))[1]
    with np.errstate(invalid="ignore"):
        share = np.clip((image - low) / (high - low), 0.0, 1.0)
    gray = 24 + 230 * np.arcsinh(share / SOFTENING) / np.arcsinh(1 / SOFTENING)
    gray = np.where(np.isfinite(image), gray, 0).astype(np.uint8)
    if mask is not None:
        gray[block_mean(np.asarray(mask) != 0, size) > 0] = 255
    picture = Image.fromarray(np.ascontiguousarray(gray[::-1]))
    if mask is not None:  # a palette needs a third of the bytes of RGB
        picture.putpalette([level for level in range(255) for _ in range(3)] + [230, 30, 30])
    buffer = io.BytesIO()
    picture.save(buffer, "PNG")
    return base64.b64encode(buffer.getvalue()).decode("ascii"), (low, high)


def busiest(mask, size: int = 128) -> tuple[slice, slice]:
    """The square of a mask (ny, nx) with the most non-zero pixels, as slices of rows and columns.

    Squares have sides of `size` pixels and lie on a raster of half of that, the last ones at the edges. Of
    equal ones the first is returned; a mask smaller than `size` is returned whole.
    """
    best, where = -1, (slice(None), slice(None))
    ny, nx = mask.shape
    rows, columns = (
        sorted({*range(0, max(1, n - size), max(1, size // 2)), max(0, n - size)}) for n in (ny, nx)
    )
    for y in rows:
        for x in columns:
            cut = (slice(y, min(ny, y + size)), slice(x, min(nx, x + size)))
            count = np.count_nonzero(mask[cut])
            if count > best:
                best, where = count, cut
    return where
