"""Read and write the tables of a run as pandas tables, with the declared type of each column.

In a notebook::

    from drizzleflow.io import tables
    sky = tables.read_sky("results/my_product/sky.csv")
    sky.loc[sky.valid].groupby("group").sky.first()

`drizzleflow.io.columns` declares the columns with unit and meaning; `describe` shows them. Types: text is
"string", whole numbers "int64", numbers "float64", truth values "bool" ("boolean" where one may be missing);
an outline is an array of shape (2, n), longitudes and latitudes in degrees. A missing text or truth value is
NA, a missing number NaN. Jobs that work on pixels read the same files with `drizzleflow.io.light_tables`,
without pandas.
"""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Iterable, Sequence

import numpy as np
import pandas as pd

from drizzleflow.errors import InputError
from drizzleflow.io import light_tables
from drizzleflow.io.columns import (
    ASSOCIATION_SCHEMA,
    FOOTPRINTS,
    FRAMES,
    MEMBERS,
    OVERLAPS,
    SKY,
    Column,
    names,
)
from drizzleflow.io.files import read_text

_DTYPES = {"text": "string", "int": "int64", "float": "float64", "bool": "bool", "outline": "object"}


def read_members(path, only: Iterable[str] | None = None) -> pd.DataFrame:
    """Read members.csv, one row for each science member; see `drizzleflow.io.columns.MEMBERS`.

    Parameters
    ----------
    path : path
    only : iterable of str, optional
        Names of the columns to read; all by default.

    Raises
    ------
    InputError
        The file cannot be read, lacks a column, or has a value of another kind. The message names file, row
        and column. The other readers raise the same.
    """
    return _read([path], MEMBERS, only)


def read_footprints(path, only: Iterable[str] | None = None) -> pd.DataFrame:
    """Read footprints.csv, one row for each frame; see `drizzleflow.io.columns.FOOTPRINTS`."""
    return _read([path], FOOTPRINTS, only)


def read_sky(path) -> pd.DataFrame:
    """Read sky.csv, the sky level of each frame; see `drizzleflow.io.columns.SKY`."""
    return _read([path], SKY)


def read_overlaps(*paths) -> pd.DataFrame:
    """Read one or more sky/{batch}.csv into one table: sky of frames and of their overlaps with groups.

    See `drizzleflow.io.columns.OVERLAPS`.
    """
    return _read(paths, OVERLAPS)


def read_association(path) -> pd.DataFrame:
    """Read and check an association in the form of a CSV sheet, one row for each exposure.

    Lines that begin with # and empty lines are skipped; blanks around values are removed.

    Returns
    -------
    DataFrame
        The columns of ``config/schemas/association.schema.json``, which describes them, in its order. All are
        text ("string") but ``flux_scale``, which is float64. Empty cells, and columns that the sheet does
        not have, are missing values.

    Raises
    ------
    InputError
        The sheet cannot be read or does not fit the schema. The message, one line, names the file, the row
        (1 is the first after the names), the column, what it holds and what was expected.
    """
    from jsonschema import Draft202012Validator

    schema = json.loads(ASSOCIATION_SCHEMA.read_text(encoding="utf-8"))
    known = schema["properties"]
    columns, rows = _cells(path)
    for name in columns:
        if name not in known or columns.count(name) > 1:
            fault = "twice" if name in known else "unknown"
            raise InputError(f"{path}: column {name!r} is {fault}, expected some of {', '.join(known)}")
    for name in schema["required"]:
        if name not in columns:
            raise InputError(f"{path}: no column {name!r} (found {', '.join(columns)}), expected one")
    validator, records = Draft202012Validator(schema), []
    for number, row in enumerate(rows, start=1):
        if len(row) != len(columns):
            raise InputError(
                f"{path}: row {number} has {len(row)} values, expected {len(columns)} as the first line"
            )
        cells = {name: cell.strip() for name, cell in zip(columns, row, strict=True) if cell.strip()}
        record = {
            name: _number(cell) if known[name]["type"] == "number" else cell for name, cell in cells.items()
        }
        for error in validator.iter_errors(record):
            column = error.path[0] if error.path else next(k for k in schema["required"] if k not in record)
            what = repr(cells[column]) if column in cells else "empty"
            expected = known[column]["allowed"]
            raise InputError(f"{path}: row {number}: {column} is {what}, expected {expected}")
        records.append(record)
    if not records:
        raise InputError(f"{path}: no rows, expected one for each exposure")
    dtypes = {name: "float64" if rule["type"] == "number" else "string" for name, rule in known.items()}
    return pd.DataFrame(records, columns=list(known)).astype(dtypes)


def _cells(path) -> tuple[list[str], list[list[str]]]:
    """Return the names of the columns (lower case) and the rows of a sheet.

    The module `csv` refuses text that is not CSV. `pandas.read_csv` would fill up short rows, rename a second
    column of the same name and take an unpaired quotation mark for text.
    """
    lines = [
        line for line in read_text(path).splitlines() if line.strip() and not line.lstrip().startswith("#")
    ]
    try:
        rows = list(csv.reader(lines, strict=True, skipinitialspace=True))
    except csv.Error as error:
        raise InputError(f"{path}: not valid CSV ({error})") from None
    if not rows:
        raise InputError(f"{path}: empty, expected a line of column names with at least 'path'")
    return [name.strip().lower() for name in rows[0]], rows[1:]


def _number(cell: str) -> float | str:
    """Return a finite number, or the cell as it is."""
    try:
        number = float(cell)
    except ValueError:
        return cell
    return number if math.isfinite(number) else cell


def read_frames(path) -> pd.DataFrame:
    """Read frames.csv, the outliers of each frame; see `drizzleflow.io.columns.FRAMES`."""
    return _read([path], FRAMES)


def write_sky(table: pd.DataFrame, path) -> None:
    """Write sky.csv, whole or not at all: just the columns of `drizzleflow.io.columns.SKY`."""
    _write(table, SKY, path)


def records(table: pd.DataFrame) -> list[dict]:
    """Return the rows as dictionaries of plain Python values; missing ones (NaN too) are None."""
    values = table.astype(object)
    return values.where(values.notna(), None).to_dict("records")


def describe(columns: Sequence[Column]) -> pd.DataFrame:
    """Return a table of the columns' names, dtypes, units and meanings."""
    rows = [(column.name, dtype(column), column.unit, column.meaning) for column in columns]
    return pd.DataFrame(rows, columns=["column", "dtype", "unit", "meaning"])


def dtype(column: Column) -> str:
    """Return the pandas dtype of a column."""
    with_missing = {"bool": "boolean", "int": "Int64"}
    return (column.missing is not None and with_missing.get(column.kind)) or _DTYPES[column.kind]


def _read(paths, columns: Sequence[Column], only: Iterable[str] | None = None) -> pd.DataFrame:
    """Read tables with the same columns into one."""
    asked = [column for column in columns if only is None or column.name in only]
    rows = [row for path in paths for row in light_tables.rows(path, columns, only)]
    series = {}
    for column in asked:
        values = [row.pop(column.name) for row in rows]
        if column.kind == "outline":
            values = [np.array(value, float) for value in values]
        series[column.name] = pd.Series(values, dtype=dtype(column))
    return pd.DataFrame(series)


def _write(table: pd.DataFrame, columns: Sequence[Column], path) -> None:
    rows = records(table[names(columns)])
    light_tables.write(path, columns, (row.values() for row in rows))
