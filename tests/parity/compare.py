"""Compare a product folder of drizzleflow with the peer's results for the same association (peer_jwst.py).

    python compare.py results/PRODUCT PEER_DIR

prints every figure; `compare` returns them. Nothing is judged here: the limits are in ``test_jwst.py``.
"""

import csv
import json
import sys
import warnings
from pathlib import Path

import numpy as np
from astropy.io import fits
from astropy.wcs import WCS

#: planes of the mosaic whose values are compared
PLANES = ("SCI", "ERR", "WHT", "VAR_POISSON", "VAR_RNOISE", "VAR_FLAT")
#: an input's weight below this is numerical dust: its bit in CON may differ
DUST = 1e-6
LIMIT = 1e-5


def compare(product_dir, peer_dir, planes=PLANES):
    """All figures of a product against the peer's.

    Parameters
    ----------
    product_dir, peer_dir : path
        ``{outdir}/{product}`` of drizzleflow; OUTDIR of peer_jwst.py. Parts that the peer did not make (it
        was run with --sky-only or --no-mosaic, or without --input-weights) are left out of the result.

    Returns
    -------
    dict
        ``crmask`` (`compare_masks`), ``sky`` (`compare_sky`), ``grid`` (`compare_grids`), ``i2d`` (a
        `difference` for each plane) and ``con`` (`compare_context`).
    """
    product_dir, peer_dir = Path(product_dir), Path(peer_dir)
    figures = {}
    if (product_dir / "sky.csv").exists():
        figures["sky"] = compare_sky(product_dir, peer_dir)
    if (peer_dir / "masks.npz").exists():
        figures["crmask"] = compare_masks(product_dir, peer_dir)
    theirs = [path for path in peer_dir.glob("*_i2d.fits") if not path.name.endswith("_outlier_i2d.fits")]
    if theirs:
        ours = product_dir / f"{product_dir.name}_i2d.fits"
        with open_fits(ours) as a, open_fits(theirs[0]) as b:
            figures["grid"] = compare_grids(a["SCI"].header, b["SCI"].header)
            if a["SCI"].shape == b["SCI"].shape:
                error = native(b["ERR"])
                figures["i2d"] = {
                    name: difference(native(a[name]), native(b[name]), scale_of(name, error))
                    for name in planes
                    if name in b
                }
                if (peer_dir / "weights.npz").exists():
                    figures["con"] = compare_context(
                        native(a["CON"]), native(b["CON"]), peer_dir / "weights.npz"
                    )
    return figures


def open_fits(path):
    return fits.open(path, memmap=False)


def native(hdu):
    return np.asarray(hdu.data, hdu.data.dtype.newbyteorder("="))


def scale_of(name, error):
    """What a difference is measured against besides the value: ERR, for a variance its square.

    For WHT, ERR is only a floor, far below the weight of a full pixel: where a millionth of an input pixel
    reaches an output pixel, the rounding of RA and Dec (3e-9 px) is more than 1e-5 of its weight.
    """
    error = np.nan_to_num(error.astype(float))
    return error**2 if name.startswith("VAR_") else error


def difference(ours, theirs, error=None):
    """How two planes differ, with |difference| in units of max(|theirs|, error).

    Returns
    -------
    dict
        ``pixels``; ``max``: the largest difference; ``above``: pixels above `LIMIT`; ``nan_differs``: pixels
        that are NaN in only one; ``worst``: (y, x) of the largest.
    """
    a, b = ours.astype(float), theirs.astype(float)
    if a.shape != b.shape:
        raise ValueError(f"shapes {a.shape} and {b.shape}")
    unit = np.abs(b) if error is None else np.fmax(np.abs(b), error)
    gap = np.abs(a - b)
    with np.errstate(divide="ignore", invalid="ignore"):
        relative = np.where(gap == 0, 0.0, gap / unit)
    nan_differs = np.isnan(a) != np.isnan(b)
    relative = np.where(np.isnan(relative), 0.0, relative)
    worst = np.unravel_index(np.argmax(relative), relative.shape)
    return {
        "pixels": int(np.count_nonzero(~np.isnan(b))),
        "max": float(relative[worst]),
        "above": int(np.count_nonzero(relative > LIMIT)),
        "nan_differs": int(np.count_nonzero(nan_differs)),
        "worst": tuple(int(i) for i in worst),
    }


def compare_masks(product_dir, peer_dir):
    """Cosmic-ray masks, each member and in total: pixels, ours, the peer's, differing, and per million."""
    members = {}
    with np.load(Path(peer_dir) / "masks.npz") as masks:
        for name in masks.files:
            theirs = masks[name]
            with open_fits(Path(product_dir) / "crmask" / f"{name}_crmask.fits") as hdus:
                ours = native(hdus["CRMASK", 1])
            if ours.shape != theirs.shape:
                raise ValueError(f"{name}: mask of shape {ours.shape}, the peer's {theirs.shape}")
            differ = (ours == 1) != theirs
            members[name] = {
                "pixels": theirs.size,
                "ours": int(np.count_nonzero(ours == 1)),
                "peer": int(np.count_nonzero(theirs)),
                "differ": int(np.count_nonzero(differ)),
                "where": [tuple(int(i) for i in at) for at in np.argwhere(differ)[:5]],
            }
    total = {key: sum(m[key] for m in members.values()) for key in ("pixels", "ours", "peer", "differ")}
    return {"members": members, **total, "per_million": 1e6 * total["differ"] / total["pixels"]}


def compare_sky(product_dir, peer_dir):
    """Sky levels: for each member ours, peer's, and the difference in units of the noise of its pixels."""
    peer = json.loads((Path(peer_dir) / "sky.json").read_text())
    with open(Path(product_dir) / "sky.csv", newline="") as stream:
        rows = {row["member"]: row for row in csv.DictReader(stream)}
    members = {}
    for name, theirs in peer["levels"].items():
        ours = float(rows[name]["sky"] or "nan")
        if theirs is None:  # not matched: drizzleflow writes 0 and valid = 0
            gap = 0.0 if rows[name]["valid"].lower() in ("0", "false") else float("inf")
        else:
            gap = abs(ours - theirs) / peer["noise"][name]
        members[name] = {"ours": ours, "peer": theirs, "difference": gap}
    worst = [m["difference"] for m in members.values()]
    return {"members": members, "max": float("inf") if np.any(np.isnan(worst)) else max(worst)}


def compare_grids(ours, theirs):
    """Shapes, and the largest distance (pixel) between the two grids over the corners and the centre."""
    nx, ny = theirs["NAXIS1"], theirs["NAXIS2"]
    x, y = np.array([0, nx - 1, 0, nx - 1, nx / 2]), np.array([0, 0, ny - 1, ny - 1, ny / 2])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        a, b = WCS(ours).celestial, WCS(theirs).celestial
    there = a.all_world2pix(*b.all_pix2world(x, y, 0), 0)
    shapes = ((ours["NAXIS2"], ours["NAXIS1"]), (ny, nx))
    return {
        "shape": shapes[0],
        "peer_shape": shapes[1],
        "max_pixels": float(np.hypot(there[0] - x, there[1] - y).max()),
    }


def bits(con, index):
    """Bit `index` of a context image, int32 (planes, ny, nx) or (ny, nx), as bool (ny, nx)."""
    planes = con.reshape(-1, *con.shape[-2:]).astype(np.int32, copy=False).view(np.uint32)
    if index // 32 >= len(planes):
        return np.zeros(con.shape[-2:], bool)
    return (planes[index // 32] >> np.uint32(index % 32)) & np.uint32(1) > 0


def compare_context(ours, theirs, weights_path):
    """Context images, bit by bit, where the input's own weight is above `DUST` and where it is not.

    Returns
    -------
    dict
        ``differ``: differing bits at weights above `DUST`; ``dust``: the others; ``heaviest``: the largest
        weight at a differing bit; ``self``: the peer's own bits that its own weights contradict (a check of
        this comparison).
    """
    found = {"differ": 0, "dust": 0, "heaviest": 0.0, "self": 0, "planes": [ours.shape, theirs.shape]}
    with np.load(weights_path) as weights:
        for index, name in enumerate(weights.files):
            weight, a, b = weights[name], bits(ours, index), bits(theirs, index)
            wrong = a != b
            found["differ"] += int(np.count_nonzero(wrong & (weight > DUST)))
            found["dust"] += int(np.count_nonzero(wrong & (weight <= DUST)))
            found["heaviest"] = max(found["heaviest"], float(weight[wrong].max(initial=0)))
            found["self"] += int(np.count_nonzero((weight > DUST) & ~b))
    return found


def compare_intermediates(product_dir, peer_dir):
    """Single images, median and blots against the peer's (--save-intermediate), each a `difference`.

    The first stage that differs shows where to look. Ours hold a window (WINX0, WINY0); outside of it the
    peer must have no data, which ``outside`` counts. A single or blot is measured in units of its value
    alone.

    Returns
    -------
    dict
        (stage, name) -> `difference` with ``outside`` added; stages ``single``, ``single_wht``, ``median``,
        ``blot``.
    """
    product_dir, peer_dir = Path(product_dir), Path(peer_dir)
    with open(product_dir / "members.csv", newline="") as stream:
        rows = [row for row in csv.DictReader(stream) if row["exptype"].lower() == "science"]
    first = {}
    for row in rows:
        first.setdefault(row["group"], row["member"])
    figures = {}
    for group, member in first.items():
        ours, theirs = (
            product_dir / "single" / f"{group}_outlier_i2d.fits",
            peer_file(peer_dir, member, "outlier_i2d"),
        )
        if ours.exists() and theirs:
            figures["single", group] = window_difference(ours, theirs, "SCI")
            figures["single_wht", group] = window_difference(ours, theirs, "WHT")
    ours, theirs = (
        product_dir / f"{product_dir.name}_median.fits",
        peer_file(peer_dir, rows[0]["member"], "median"),
    )
    if ours.exists() and theirs:
        figures["median", product_dir.name] = window_difference(ours, theirs, "SCI")
    for row in rows:
        ours, theirs = (
            product_dir / "blot" / f"{row['member']}_blot.fits",
            peer_file(peer_dir, row["member"], "blot"),
        )
        if ours.exists() and theirs:
            figures["blot", row["member"]] = window_difference(ours, theirs, "SCI")
    return figures


def peer_file(peer_dir, member, suffix):
    """The peer's file of a member: it puts the association's id, if any, between the name and the suffix."""
    for path in sorted(Path(peer_dir).glob(f"{member}_*{suffix}.fits")) + sorted(
        Path(peer_dir).glob(f"{member}_{suffix}.fits")
    ):
        between = path.name[len(member) : -len(f"{suffix}.fits")].strip("_")
        if "_" not in between and (between != "outlier" or suffix == "outlier_i2d"):
            return path
    return None


def window_difference(ours, theirs, name):
    """`difference` of a plane of a windowed file and the part of the peer's full frame under it."""
    with open_fits(ours) as a, open_fits(theirs) as b:
        plane, frame, header = native(a[name]), native(b[name]), a[name].header
    x0, y0 = int(header.get("WINX0", 0)), int(header.get("WINY0", 0))
    ny, nx = plane.shape
    under = frame[y0 : y0 + ny, x0 : x0 + nx]
    if min(x0, y0) < 0 or under.shape != plane.shape:
        raise ValueError(
            f"{ours}: window {plane.shape} at ({y0}, {x0}) leaves the peer's frame {frame.shape}"
        )
    outside = np.isfinite(frame) & (frame != 0)
    outside[y0 : y0 + ny, x0 : x0 + nx] = False
    return {**difference(plane, under), "outside": int(np.count_nonzero(outside))}


def table(figures):
    """The figures as lines of text."""
    lines = []
    if "grid" in figures:
        grid = figures["grid"]
        lines.append(
            f"grid      {grid['shape']} peer {grid['peer_shape']}, apart by {grid['max_pixels']:.1e} px"
        )
    if "sky" in figures:
        lines.append(f"sky       largest difference {figures['sky']['max']:.1e} of the noise")
    if "crmask" in figures:
        mask = figures["crmask"]
        lines.append(
            f"crmask    {mask['differ']} of {mask['pixels']} pixels differ,"
            f" {mask['per_million']:.2f} per million; flagged: ours {mask['ours']}, peer {mask['peer']}"
        )
    for name, plane in figures.get("i2d", {}).items():
        lines.append(
            f"{name:<12s}max {plane['max']:.1e}, {plane['above']} of {plane['pixels']} above {LIMIT:g},"
            f" NaN differs at {plane['nan_differs']}"
        )
    if "con" in figures:
        con = figures["con"]
        lines.append(f"CON       {con['differ']} bits differ above weight {DUST:g}, {con['dust']} below")
    return lines


def main(product_dir, peer_dir):
    figures = compare(product_dir, peer_dir)
    print("\n".join(table(figures)))
    for name, member in figures.get("crmask", {}).get("members", {}).items():
        if member["differ"]:
            print(f"  {name}: {member['differ']} differ, (y, x) {member['where']}")
    for name, member in figures.get("sky", {}).get("members", {}).items():
        if member["difference"] > 1e-6:
            print(f"  {name}: sky {member['ours']} peer {member['peer']}, {member['difference']:.1e} sigma")
    for (stage, name), found in compare_intermediates(product_dir, peer_dir).items():
        text = f"max {found['max']:.1e} at {found['worst']}, {found['above']} above,"
        text += f" NaN differs at {found['nan_differs']}"
        print(f"  {stage:<11s}{name}: {text}, {found['outside']} outside the window")


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    main(*sys.argv[1:])
