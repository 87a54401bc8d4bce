"""The exposure times of a product."""

from __future__ import annotations


class ExposureTimes:
    """The exposure times of a product; the frames of one group were exposed together and count once."""

    SUMMED = ("exposure_time", "duration", "measurement_time")

    def __init__(self):
        self.groups = []
        self._values = {**dict.fromkeys(self.SUMMED, 0.0), "start_time": None, "end_time": None}

    def add(self, group, times: dict) -> None:
        """Count the times of a group, unless it has been counted.

        `times` has seconds, and the start and end in MJD. A sum with an unknown time is unknown (None).
        """
        if group in self.groups:
            return
        self.groups.append(group)
        values = self._values
        for key in self.SUMMED:
            value = times.get(key)
            values[key] = None if value is None or values[key] is None else values[key] + value
        for key, choose in (("start_time", min), ("end_time", max)):
            value = times.get(key)
            if value is not None:
                values[key] = value if values[key] is None else choose(values[key], value)

    def values(self) -> dict:
        """The product's times in s, its start and end in MJD, and ``pointings``, the number of groups."""
        elapsed = self._values["duration"]
        return {"pointings": len(self.groups), **self._values, "elapsed_exposure_time": elapsed}
