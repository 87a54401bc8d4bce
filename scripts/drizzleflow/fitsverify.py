"""Do the checksums in a FITS file fit its bytes? For files that are read in pieces; needs numpy alone.

DATASUM and CHECKSUM are those of FITS Standard 4.0, section 4.4.2.7 and appendix J.
"""

from __future__ import annotations

import re

import numpy as np

from drizzleflow.checksum import BLOCK, sum32

_GOOD = (0, 0xFFFFFFFF)  #: sums of an HDU whose CHECKSUM is right: both zeros of the ones' complement
_CARD = re.compile(rb"([A-Z0-9_-]+) *= +(?:'([^']*)'|([^/]*))")


class Verifier:
    """Compares DATASUM and CHECKSUM of every HDU of a FITS file with its bytes, which pass by once.

    `update` takes the file's pieces in their order, each a multiple of 2880 bytes long but for the last; `close` ends it.

    Attributes
    ----------
    problems : list of str
        What is wrong, one line an HDU, with the HDU's number and name.
    """

    def __init__(self):
        self.problems: list[str] = []
        self._number = 0
        self._begin()

    def _begin(self):
        self._header, self._cards, self._left, self._sum = bytearray(), {}, 0, 0

    def update(self, piece) -> None:
        piece, at = memoryview(piece), 0
        while at < len(piece) and self._header is not None:
            if self._left:
                part = piece[at : at + self._left]
                self._sum = sum32(part[: len(part) & ~3], self._sum)
                self._left -= len(part)
            else:
                part = piece[at : at + BLOCK]
                self._header += part
                self._read_header(bytes(part))
            at += len(part)
            if self._cards and not self._left:
                self._compare()

    def close(self) -> list[str]:
        """The problems, with that of a file that ends too early."""
        if self._header is not None and (self._left or self._header or not self._number):
            self._give_up("cut short")
        return self.problems

    def _read_header(self, block: bytes) -> None:
        if not block.isascii() or not self._header.startswith((b"SIMPLE  =", b"XTENSION=")):
            self._give_up("no header where one is expected")
        elif len(block) == BLOCK and any(block[i : i + 8] == b"END     " for i in range(0, BLOCK, 80)):
            images = (bytes(self._header[i : i + 80]) for i in range(0, len(self._header), 80))
            matches = filter(None, map(_CARD.match, images))
            self._cards = {m[1].decode(): (m[3] if m[2] is None else m[2]).strip().decode() for m in matches}
            try:
                self._left = self._data_size()
            except (KeyError, ValueError):
                self._give_up("its header does not say how long its data are")

    def _data_size(self) -> int:
        """Bytes of the data unit, in whole blocks."""
        axes = [int(self._cards[f"NAXIS{n}"]) for n in range(1, int(self._cards["NAXIS"]) + 1)]
        if self._cards.get("GROUPS") == "T" and axes and not axes[0]:
            axes = axes[1:]
        pixels = int(np.prod(axes, dtype=object)) if axes else 0
        count = int(self._cards.get("GCOUNT", 1)) * (int(self._cards.get("PCOUNT", 0)) + pixels) if axes else 0
        size = count * abs(int(self._cards["BITPIX"])) // 8
        if size < 0:
            raise ValueError
        return -(-size // BLOCK) * BLOCK

    def _name(self) -> str:
        name = self._cards.get("EXTNAME")
        return f"HDU {self._number} ({name})" if name else f"HDU {self._number}"

    def _compare(self) -> None:
        """At the end of an HDU."""
        recorded = self._cards.get("DATASUM")
        if recorded is None or "CHECKSUM" not in self._cards:
            self.problems.append(f"{self._name()}: no DATASUM or CHECKSUM")
        elif recorded != str(self._sum):
            self.problems.append(f"{self._name()}: the data sum up to {self._sum}, its DATASUM is {recorded}")
        elif sum32(self._header, self._sum) not in _GOOD:
            self.problems.append(f"{self._name()}: the header does not fit its CHECKSUM")
        self._number += 1
        self._begin()

    def _give_up(self, problem: str) -> None:
        self.problems.append(f"{self._name()}: {problem}")
        self._header, self._cards = None, {}
