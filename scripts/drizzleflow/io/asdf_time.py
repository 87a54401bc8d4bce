"""Times in ASDF files, as asdf-astropy writes them."""

from __future__ import annotations

import datetime

from drizzleflow.errors import InputError
from drizzleflow.io.header import number, text


def mjd(time, path="") -> float | None:
    """Days of the modified Julian calendar of a time as asdf-astropy writes it: ISO text, or a table with
    ``value``.
    """
    if isinstance(time, dict):
        kind, time = time.get("format") or time.get("base_format") or "isot", time.get("value")
        if kind not in ("iso", "isot"):
            from astropy.time import Time

            try:
                return float(Time(text(time) if isinstance(time, str) else number(time), format=kind).mjd)
            except Exception as error:  # a format that does not exist, a number that is no time in it
                raise InputError(f"{path}: a time that cannot be read ({error})") from None
    if text(time) in ("", "?"):
        return None
    try:
        moment = datetime.datetime.fromisoformat(text(time)[:26])  # to the microsecond
    except ValueError:
        raise InputError(
            f"{path}: time {text(time)!r}, expected a text like 2027-01-01T00:00:00.000"
        ) from None
    return (moment.replace(tzinfo=None) - datetime.datetime(1858, 11, 17)) / datetime.timedelta(days=1)
