"""``python -m drizzleflow.provenance`` traces one pixel of a product, or exports a run as an RO-Crate."""

from __future__ import annotations

import argparse
import json
import logging
import sys

from drizzleflow.errors import InputError
from drizzleflow.jobs.record import plain

COLUMNS = ("x", "y", "overlap", "weight", "overlap*weight", "data", "value", "DQ", "")


def table(trail: dict) -> str:
    """Return the text that shows a trace (see `drizzleflow.provenance.trace.trace`)."""
    lines = [f"{trail['product']}: pixel {trail['pixel'][0]} {trail['pixel'][1]} (0-based)"]
    if trail["sky"]:
        lines.append(
            f"grid {trail['grid'][0]} {trail['grid'][1]}   RA {trail['sky'][0]:.7f}   Dec {trail['sky'][1]:.7f}"
        )
    lines.append("holds   " + _numbers(trail["values"], trail["unit"]))
    if trail["sum"] is not None:
        lines.append(
            "sum     "
            + _numbers(trail["sum"], trail["unit"])
            + ("   agrees" if trail["agrees"] else "   DOES NOT AGREE")
        )
    lines += [*trail["notes"], ""]
    for image in trail.get("images", ()):
        verdict = "used" if image["used"] else "not used"
        lines.append(
            f"image {image['file']}: {verdict}, value {image['value']:.7g}, weight {image['weight']:.7g}"
            f" (counts from {image['threshold']:.4g})"
        )
        lines += [f"  {line}" for frame in image["frames"] for line in _frame(frame)]
    for frame in trail.get("frames", ()):
        lines += _frame(frame)
    if not trail.get("images") and not trail.get("frames"):
        lines.append("no frame reaches this pixel")
    return "\n".join(lines).rstrip()


def _numbers(values: dict, unit: str) -> str:
    words = []
    for name, value in values.items():
        if name == "CON":
            words.append("CON frames " + (" ".join(map(str, value)) or "none"))
        else:
            words.append(f"{name} {value:.7g}" + (f" {unit}" if name == "SCI" and unit else ""))
    return "   ".join(words)


def _frame(frame: dict):
    number = f"frame {frame['bit']}: " if "bit" in frame else ""
    yield f"{number}{frame['member']} {frame['extver']}   {frame['file']}"
    yield f"    made from {frame['source']}" + (f"   sha256 {frame['sha256']}" if frame["sha256"] else "")
    if frame["mask"]:
        yield f"    mask {frame['mask']}"
    if frame["pixels"] is None:
        yield "    the file is missing: its pixels cannot be listed"
        return
    sky = "no sky subtracted" if frame["sky"] is None else f"sky {frame['sky']:.7g} subtracted"
    context = (
        "" if frame.get("in_context") is None else "   in CON" if frame["in_context"] else "   not in CON"
    )
    yield f"    {sky}   weight {frame['weight']:.7g}   value {frame['value']:.7g}{context}"
    rows = [COLUMNS]
    for p in frame["pixels"]:
        part = "-" if p["why"] else f"{p['overlap'] * p['weight']:.6g}"
        numbers = (f"{p[key]:.6g}" for key in ("overlap", "weight"))
        rows.append(
            (
                str(p["x"]),
                str(p["y"]),
                *numbers,
                part,
                f"{p['data']:.6g}",
                f"{p['value']:.6g}",
                str(p["dq"] if p["dq"] is not None else "-"),
                p["why"],
            )
        )
    widths = [max(len(row[k]) for row in rows) for k in range(len(COLUMNS) - 1)]
    for row in rows if frame["pixels"] else ():
        yield (
            "    "
            + "  ".join(word.rjust(width) for word, width in zip(row, widths, strict=False))
            + f"  {row[-1]}"
        ).rstrip()
    yield ""


def main(argv=None) -> int:
    """Run the command line and return its exit code: 0, or 1 for a failure.

    It is 1, with a line on stderr, if the command cannot be done, and 1 if a traced pixel does not agree with
    the sum of its parts.
    """
    parser = argparse.ArgumentParser(
        prog="python -m drizzleflow.provenance", description=__doc__, allow_abbrev=False
    )
    commands = parser.add_subparsers(dest="command", required=True)
    tracing = commands.add_parser("trace", help="the members, pixels, weights and masks behind one pixel")
    tracing.add_argument(
        "product",
        metavar="PRODUCT",
        help="{product}_i2d.fits, {product}_median.fits or single/…_outlier_i2d.fits",
    )
    tracing.add_argument(
        "--pixel", nargs=2, type=int, required=True, metavar=("X", "Y"), help="column and row, 0-based"
    )
    tracing.add_argument("--json", action="store_true", help="as JSON")
    crating = commands.add_parser("crate", help="a finished run as an RO-Crate")
    crating.add_argument("folder", metavar="RESULTS/PRODUCT", help="the folder of a product")
    crating.add_argument(
        "out",
        nargs="?",
        metavar="OUT",
        help="a folder or .zip to be made, a copy of all; else only metadata, beside the products",
    )
    crating.add_argument("--license", metavar="URI", help="licence of the data")
    options = parser.parse_args(argv)
    logging.basicConfig(level=logging.ERROR, format="%(levelname)s: %(message)s", stream=sys.stderr)
    try:
        if options.command == "crate":
            from drizzleflow.provenance.crate import export

            print(export(options.folder, options.out, options.license))
            return 0
        from drizzleflow.provenance.trace import trace

        trail = trace(options.product, *options.pixel)
    except InputError as error:
        print(f"provenance: {error}", file=sys.stderr)
        return 1
    print(json.dumps(plain(trail), indent=1, ensure_ascii=False) if options.json else table(trail))
    return 1 if trail["agrees"] is False else 0


if __name__ == "__main__":
    sys.exit(main())
