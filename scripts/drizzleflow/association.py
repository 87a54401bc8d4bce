"""``python -m drizzleflow.association FILE...``: the products of associations and their members.

They are checked as a run checks them, by `drizzleflow.plan.association` (the tables), `drizzleflow.plan.folder`
(folders and patterns) and `drizzleflow.plan.products` (the members' headers).
"""

import argparse
import sys

from drizzleflow.errors import InputError, harmless
from drizzleflow.plan import config
from drizzleflow.plan.association import Association, check, read
from drizzleflow.plan.products import Plan, build

__all__ = ["Association", "check", "main", "read"]

COLUMNS = ("product", "member", "exptype", "group", "format", "path")


def main(arguments=None) -> int:
    """The command line: prints a table, a row a member; on stderr what a run tells at its start.

    1, and a line on stderr, for each wrong product.
    """
    parser = argparse.ArgumentParser(
        prog="python -m drizzleflow.association", description=__doc__.split("\n")[0]
    )
    parser.add_argument(
        "files",
        nargs="+",
        metavar="FILE",
        help="JWST or Roman JSON, HST _asn.fits, CSV, a folder, or a pattern in quotes",
    )
    parser.add_argument(
        "--configfile", metavar="FILE.yaml", help="the run's settings: its mode, its `simple` ..."
    )
    chosen = parser.parse_args(arguments)
    try:
        user = config.load(chosen.configfile) if chosen.configfile else {}
        plan = build(config.standard({**user, "associations": chosen.files}), None)
    except InputError as error:
        print(error, file=sys.stderr)
        return 1
    if plan.good:
        for row in table(plan):
            print(harmless(row))  # paths of members that are never opened may hold anything
    for line in plan.told:
        print(line, file=sys.stderr)
    wrong = [product.error for product in plan.products.values() if product.error]
    for error in wrong:
        print(error, file=sys.stderr)
    return 1 if wrong else 0


def table(plan: Plan) -> list[str]:
    """The members of the products that can be made: a line of names, a line a member, in aligned columns."""
    rows = [COLUMNS]
    for name, product in plan.good.items():
        for member in (*product.members, *product.others):
            cells = (name, *(getattr(member, column) or "-" for column in COLUMNS[1:]))
            rows.append(tuple(map(str, cells)))
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return ["  ".join(map(str.ljust, row, widths)).rstrip() for row in rows]


if __name__ == "__main__":
    raise SystemExit(main())
