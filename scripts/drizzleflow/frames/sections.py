"""Say how much of a stack of images is in memory at a time; the plan needs it too, and starts without numpy."""

from __future__ import annotations

MOST = 4.0  #: MiB of each image, where the images are few
STACK = 64.0  #: MiB of all images together, of which few have more than one


def buffer_size(asked: float | str | None, images: int) -> float:
    """Return MiB of each image in memory at a time, by ``median.combine_bufsize`` of the configuration.

    None stands for 1, and ``auto`` for 1, or up to `MOST` where the images are few: of larger sections fewer
    rows are combined twice.
    """
    if asked == "auto":
        return min(MOST, max(1.0, STACK / max(1, images)))
    return 1.0 if asked is None else float(asked)
