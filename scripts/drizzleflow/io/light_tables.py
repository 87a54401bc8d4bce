"""Read and write tables with `csv` for jobs that work on pixels, because pandas takes 0.3 s to import.

The columns are those of `drizzleflow.io.columns`. `drizzleflow.io.tables` gives the same tables as pandas
tables.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator, Sequence

from drizzleflow.errors import InputError
from drizzleflow.io.columns import EXPECTED, MEMBERS, READ, SKY, Column, names
from drizzleflow.io.files import kept, write_text


def rows(path, columns: Sequence[Column], only: Iterable[str] | None = None) -> Iterator[dict]:
    """Yield the rows of a table as dictionaries column -> value, with None for a missing value.

    Parameters
    ----------
    path : path
        A CSV file with at least the columns asked for.
    columns : sequence of Column
        The file's columns, see `drizzleflow.io.columns`.
    only : iterable of str, optional
        Names of the columns to read; all by default.

    Raises
    ------
    InputError
        The file is missing, is not UTF-8 text or lacks a column, or a row has a wrong number of values or a
        value of another kind. The message, one line, names the file, the row (1 is the first after the
        names) and the column.
    """
    lines = _lines(path)
    head = next(lines, [])
    asked = [column for column in columns if only is None or column.name in only]
    for column in asked:
        if column.name not in head:
            listed = ", ".join(names(columns))
            raise InputError(f"{path}: no column {column.name!r}, expected the columns {listed}")
    readers = [(column.name, head.index(column.name), column.missing, READ[column.kind]) for column in asked]
    for number, cells in enumerate(lines, start=1):
        if len(cells) != len(head):
            raise InputError(
                f"{path}: row {number} has {len(cells)} values, expected {len(head)} as the first line"
            )
        try:
            row = {
                name: None if cells[place] == missing else read(cells[place])
                for name, place, missing, read in readers
            }
        except (ValueError, TypeError):
            raise InputError(f"{path}: row {number}: {_wrong(asked, head, cells)}") from None
        yield row


def _wrong(columns, head, cells) -> str:
    """Say what is wrong with the first cell of a row that has no value of its column's kind."""
    for column in columns:
        cell = cells[head.index(column.name)]
        try:
            column.read(cell)
        except (ValueError, TypeError):
            return f"{column.name} is {cell!r}, expected {EXPECTED[column.kind]}"
    raise AssertionError("every cell has a value")


def _lines(path) -> Iterator[list[str]]:
    """Yield the lines of a CSV file that are not empty, as lists of cells."""
    try:
        with open(path, encoding="utf-8", newline="") as stream:
            yield from filter(None, csv.reader(stream, strict=True))
    except (OSError, ValueError, csv.Error) as error:
        raise InputError(f"{path}: not a readable table ({error})") from None


def write(path, columns: Sequence[Column], table: Iterable[Sequence]) -> None:
    """Write a table, whole or not at all; each row has its values in the order of `columns`."""
    text = io.StringIO()
    out = csv.writer(text, lineterminator="\n")
    out.writerow(names(columns))
    out.writerows([column.write(value) for column, value in zip(columns, row, strict=True)] for row in table)
    write_text(path, text.getvalue())


def write_named(path, columns: Sequence[Column], table: Iterable[dict]) -> None:
    """Write a table as `write`; each row has its values by name, and others too, which are left out."""
    write(path, columns, ([row[name] for name in names(columns)] for row in table))


def read_members(path, files=None) -> list[dict]:
    """Return the rows of members.csv as dictionaries, like those of `drizzleflow.plan.Member.asdict`.

    `files` replace the paths of the table.
    """
    members = list(rows(path, MEMBERS))
    if files is not None:
        members = [member | {"path": file} for member, file in zip(members, files, strict=True)]
    return members


@kept
def read_levels(path) -> dict[tuple[str, int], float]:
    """Return (member, extver) -> sky level, frame's unit per pixel, of sky.csv's frames with a valid one."""
    frames = rows(path, SKY, ("member", "extver", "sky", "valid"))
    return {(row["member"], row["extver"]): row["sky"] for row in frames if row["valid"]}
