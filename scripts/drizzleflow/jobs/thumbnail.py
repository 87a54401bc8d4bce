"""Small pictures of large images, for the records that the report is made of."""

from __future__ import annotations

import base64
import io

import numpy as np

SOFTENING = 0.1  #: fraction of the range below which the asinh stretch is about linear


def block_mean(array, size: int = 256) -> np.ndarray:
    """Means of square blocks of finite pixels, the longest side at most `size` blocks.

    Parameters
    ----------
    array : (ny, nx) array of any real type
    size : int
        The largest side of the result.

    Returns
    -------
    float64 array, NaN where a block has no finite pixel. Works a row of blocks at a time: the memory does not
    grow with the image.
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
    """The values shown black and white: the 1st and 99.5th percentile, or the extremes where these are equal."""
    good = image[np.isfinite(image)]
    if not good.size:
        return 0.0, 1.0
    low, high = np.percentile(good, (1.0, 99.5))
    if not high > low:
        low, high = good.min(), good.max()
    return float(low), float(high) if high > low else float(low) + 1.0


def png(array, mask=None, size: int = 256, stretch: tuple[float, float] | None = None) -> tuple[str, tuple]:
    """A grayscale PNG (asinh stretch, first row at the bottom; no data black; blocks with a masked pixel red).

    Parameters
    ----------
    array : (ny, nx) real array
    mask : (ny, nx) array, optional
        Non-zero pixels are painted red.
    stretch : (low, high), optional
        The limits to use, so that two pictures can be compared; by default those of `limits`.

    Returns
    -------
    (base64 text of the PNG, the limits used)
    """
    from PIL import Image

    image = block_mean(array, size)
    low, high = stretch or limits(image)
    with np.errstate(invalid="ignore"):
        share = np.clip((image - low) / (high - low), 0.0, 1.0)
    gray = 24 + 230 * np.arcsinh(share / SOFTENING) / np.arcsinh(1 / SOFTENING)
    gray = np.where(np.isfinite(image), gray, 0).astype(np.uint8)
    if mask is not None:
        gray[block_mean(np.asarray(mask) != 0, size) > 0] = 255
    picture = Image.fromarray(np.ascontiguousarray(gray[::-1]))
    if mask is not None:  # a palette: a third of the bytes of three colours
        picture.putpalette([level for level in range(255) for _ in range(3)] + [230, 30, 30])
    buffer = io.BytesIO()
    picture.save(buffer, "PNG")
    return base64.b64encode(buffer.getvalue()).decode("ascii"), (low, high)


def busiest(mask, size: int = 128) -> tuple[slice, slice]:
    """The `size` square of `mask` (ny, nx), on a half-`size` raster, that holds the most non-zero pixels: what to show.

    A frame smaller than `size` is returned whole; of equals the first.
    """
    ny, nx = mask.shape
    best, where = -1, (slice(0, ny), slice(0, nx))
    for y in range(0, max(1, ny - size + 1), max(1, size // 2)):
        for x in range(0, max(1, nx - size + 1), max(1, size // 2)):
            cut = (slice(y, min(ny, y + size)), slice(x, min(nx, x + size)))
            count = np.count_nonzero(mask[cut])
            if count > best:
                best, where = count, cut
    return where
