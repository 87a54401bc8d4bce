"""Compare the checksums in a FITS file with its bytes; this needs numpy alone.

DATASUM and CHECKSUM are defined in the FITS Standard 4.0, section 4.4.2.7 and appendix J.
"""

from __future__ import annotations

from collections.abc import Iterator

from drizzleflow.errors import ChecksumError
from drizzleflow.io.checksum import sum32
from drizzleflow.io.fits_layout import BLOCK, Unit, guarded, walk

PIECE = 364 * BLOCK  #: bytes (about 1 MiB) read at a time
_GOOD = (0, 0xFFFFFFFF)  #: sums of an HDU with a right CHECKSUM: the two zeros of ones' complement


class Sums:
    """The sums of header and data of every HDU of a file, computed while its bytes are read once.

    Parameters
    ----------
    units : list of Unit
        The HDUs, from `drizzleflow.io.fits_layout.units`.
    """

    def __init__(self, units: list[Unit]):
        self._units = units
        self._ends = [end for unit in units for end in (unit.data, unit.end)]
        self._sums = [0] * len(self._ends)
        self._at = self._part = 0

    def update(self, piece) -> None:
        """Add the file's next piece, a multiple of four bytes long except for the last."""
        piece, at = memoryview(piece), 0
        while at < len(piece) and self._part < len(self._ends):
            part = piece[at : at + self._ends[self._part] - self._at]
            if len(part) % 4:
                part = bytes(part) + b"\0" * (-len(part) % 4)
            self._sums[self._part] = sum32(part, self._sums[self._part])
            at, self._at = at + len(part), self._at + len(part)
            if self._at >= self._ends[self._part]:
                self._part += 1

    def faults(self) -> Iterator[tuple[Unit, str, str]]:
        """Yield (HDU, keyword, what is wrong) for each checksum that is missing (text "") or wrong."""
        for unit, header, data in zip(self._units, self._sums[::2], self._sums[1::2], strict=True):
            stated = unit.cards.get("DATASUM")
            if not isinstance(stated, str) or not stated.isdecimal():
                yield unit, "DATASUM", ""
            elif int(stated) != data:
                yield unit, "DATASUM", f"the data are not those of DATASUM ({data}, expected {stated})"
                continue  # CHECKSUM, over the whole HDU, is then wrong too
            stated = unit.cards.get("CHECKSUM")
            if not isinstance(stated, str) or len(stated) != 16:
                yield unit, "CHECKSUM", ""
            else:
                whole = header + data
                if (whole & 0xFFFFFFFF) + (whole >> 32) not in _GOOD:
                    yield unit, "CHECKSUM", "its header is not that of CHECKSUM"


def verify(path) -> list[str]:
    """Compare DATASUM and CHECKSUM where an HDU has them, and return warnings of edited headers.

    Raises
    ------
    InputError
        The file is not whole (see `drizzleflow.io.fits_layout.units`).
    ChecksumError
        An HDU's data do not match DATASUM.
    """

    def read(file, path, length):
        sums = Sums(walk(file, path, length))
        file.seek(0)
        while piece := file.read(PIECE):
            sums.update(piece)
        return sums

    warnings = []
    for unit, keyword, fault in guarded(path, read).faults():
        if fault and keyword == "DATASUM":
            raise ChecksumError(
                f"{path}[{unit.name}]: {fault}: the file is damaged, or was changed without its checksum "
                "(astropy's fitscheck --write renews it)"
            )
        if fault:
            warnings.append(f"{path}[{unit.name}]: {fault}: edited after it was written, or damaged")
    return warnings
