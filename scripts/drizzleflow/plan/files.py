"""Read what the plan needs of files, all of it cached: members' descriptions and formats' declarations.

The code hash of this module and of all that it reaches is the version of the cache
(`drizzleflow.plan.cache`).
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict

from drizzleflow import formats
from drizzleflow.errors import InputError

#: of a file's description: the keys that every format's `describe` gives
DESCRIBED = (
    "group nframes cube nx ny instrument detector exp_type filter exptime unit dispersed odd_variances err "
    "flux_scale celestial dq apart unused"
).split()


def about(settings) -> str:
    """Return what the description of a file depends on besides the file."""
    return hashlib.sha256(json.dumps(settings["simple"], sort_keys=True).encode()).hexdigest()[:12]


def describe(path, settings) -> dict:
    """Return the format and the description of a member, from its headers alone.

    Raises
    ------
    InputError
        The file is cut short, or not what its format expects.
    """
    expect_whole(path)
    header = formats.header(path)
    name = formats.detect(header)
    described = formats.get(name).describe(path, header, settings["simple"])
    return {"format": name, **{key: described.get(key) for key in DESCRIBED}}


def expect_whole(path) -> None:
    """Raise InputError for a FITS file whose size contradicts its headers, before astropy reads it."""
    from drizzleflow.io import fits_layout

    if not formats.is_asdf(path):
        fits_layout.units(path)


class Formats:
    """Hold what the formats declare, by name; a module is imported only where the cache lacks its format.

    Parameters
    ----------
    stored : dict
        Of a cache: {name: what `drizzleflow.formats.Declared` holds}; filled where it is empty.
    """

    def __init__(self, stored: dict):
        self._stored, self._declared = stored, {}

    def _known(self) -> dict[str, formats.Declared]:
        if not self._stored:
            self._stored |= {name: asdict(formats.declared(name)) for name in formats.names()}
        if not self._declared:
            self._declared = {name: formats.Declared(**found) for name, found in self._stored.items()}
        return self._declared

    def __getitem__(self, name: str) -> formats.Declared:
        return self._known()[name]

    @property
    def suffixes(self) -> tuple[str, ...]:
        """As `drizzleflow.formats.suffixes`."""
        return tuple(dict.fromkeys(suffix for one in self._known().values() for suffix in one.suffixes))

    def titles(self, wanted) -> str:
        """The titles of the formats that are `wanted`, a function of `drizzleflow.formats.Declared`."""
        return ", ".join(sorted(one.title for one in self._known().values() if wanted(one)))


def read_sheet(path) -> list[dict]:
    """Read the rows of a CSV association as dicts of plain values, without the cells left empty.

    See `drizzleflow.io.tables.read_association`, which checks the sheet against its schema. (pandas takes 0.3
    s to import: the plan's cache keeps what comes out.)
    """
    from drizzleflow.io import tables

    rows = tables.records(tables.read_association(path))
    return [{key: value for key, value in row.items() if value is not None} for row in rows]


def read_hst_table(path) -> list[list]:
    """Read ``[memname, memtype, present]`` (lower case, upper case, bool) of an HST association table."""
    from astropy.io import fits

    from drizzleflow.io import fits_layout

    fits_layout.units(path)
    try:
        with fits.open(path) as hdus:
            table = next((hdu for hdu in hdus if isinstance(hdu, fits.BinTableHDU)), None)
            columns = [] if table is None else [name.upper() for name in table.columns.names]
            missing = [name for name in ("MEMNAME", "MEMTYPE", "MEMPRSNT") if name not in columns]
            if missing and any(hdu.is_image and hdu.header.get("NAXIS") for hdu in hdus):
                raise InputError(
                    f"{path}: this is an exposure, not a table of exposures; name a table (JSON, _asn.fits or CSV), "
                    "a folder, or a pattern such as data/*_cal.fits"
                )
            if missing:
                raise InputError(f"{path}: no column {missing[0]}, expected an HST association table")
            data = table.data
            return [
                [str(name).strip().lower(), str(kind).strip().upper(), bool(present)]
                for name, kind, present in zip(
                    *(data[name] for name in ("MEMNAME", "MEMTYPE", "MEMPRSNT")), strict=True
                )
            ]
    except InputError:
        raise
    except Exception as error:  # astropy raises many kinds for a broken file
        raise InputError(f"{path}: not a readable FITS table ({' '.join(str(error).split())})") from None
