"""Each step of AstroDrizzle made by our library from AstroDrizzle's own products of the step before, and the
two compared.

A step is thus judged alone: what differs in one cannot hide behind another. The recipes (units, weights,
scales) are the code below.
"""

import json
from pathlib import Path

import numpy as np
from astropy.io import fits

from drizzleflow.formats import hst
from drizzleflow.frames import hst_detectors
from drizzleflow.geometry import astrodrizzle_frame, astrodrizzle_grid, astrodrizzle_pixmap
from drizzleflow.outliers.blot import blot
from drizzleflow.outliers.driz_cr import driz_cr
from drizzleflow.outliers.static_mask import static_mask
from drizzleflow.resample import Resample

PRODUCT = "oracle"
PAD = 3  #: pixels about the grid: the peer keeps the outer parts of what drizzle would drop
#: our names of the keywords of `astrodrizzle_grid.build`
GRID = {"rot": "rot", "scale": "new_scale", "ra": "ra", "dec": "dec", "outnx": "outnx", "outny": "outny"}


def image(path):
    return np.ascontiguousarray(fits.getdata(path)).astype(np.float32)


class Run:
    """The inputs and one variant that the peer made of them."""

    def __init__(self, inputs, folder):
        self.folder = Path(folder)
        self.summary = json.loads((self.folder / "summary.json").read_text())
        self.keywords = self.summary["keywords"]
        self.paths = sorted(Path(inputs).glob("*_flt.fits"))
        with fits.open(self.paths[0]) as hdus:
            self.scale, self.angle = astrodrizzle_frame.orientation(hdus[0].header, hdus["SCI", 1].header)
            chips = sum(hdu.name == "SCI" for hdu in hdus)
        self.frames = {}
        for path in self.paths:
            for extver in range(1, chips + 1):
                frame = hst.read(
                    {"path": str(path), "member": path.name, "group": path.name},
                    extver,
                    ("data", "dq", "err"),
                )
                self.frames[path, extver] = frame
        self.chips = range(1, chips + 1)

    def sky(self, path, extver):
        return self.summary["sky"][path.name][extver - 1] or 0.0

    def root(self, path):
        return path.name.removesuffix("_flt.fits")

    def grid(self, step):
        """The grid of ``single`` or ``final`` by the variant's ``driz_sep_`` or ``final_`` keywords."""
        prefix = {"single": "driz_sep_", "final": "final_"}[step]
        chosen = {
            ours: self.keywords[prefix + key] for key, ours in GRID.items() if prefix + key in self.keywords
        }
        return astrodrizzle_grid.build(
            [f.wcs for f in self.frames.values()], self.scale, self.angle, **chosen
        )

    def electrons(self, frame):
        """Electrons for one unit of SCI."""
        return frame.exposure_time if frame.unit.upper().endswith("/S") else 1.0

    def static(self, extver):
        """bool (ny, nx), the peer's static mask of a chip; True where it made none."""
        found = list(self.folder.glob(f"*_{extver}_staticMask.fits"))
        return fits.getdata(found[0]) == 1 if found else np.True_

    def good(self, path, extver, bits):
        return ((self.frames[path, extver].dq & ~np.uint32(bits)) == 0) & self.static(extver)

    def variance(self, path, extver, weight):
        """What final_wht_type ERR or IVM is the inverse of (flat field 1, no dark), in the square of SCI's
        unit.
        """
        frame = self.frames[path, extver]
        if weight == "ERR":
            return frame.err**2
        electrons = self.electrons(frame)
        return np.full(
            frame.shape, (self.sky(path, extver) * electrons + frame.readnoise**2) / electrons**2, np.float32
        )

    def drizzled(self, grid, members, *, kernel, pixfrac, bits, cosmic_rays, weight="EXP"):
        """`Resample` with the peer's recipe; members: the exposures, all of whose chips are added in order."""
        stepsize = self.keywords.get("stepsize", astrodrizzle_pixmap.STEPSIZE)
        ratio = grid.pixel_scale / self.scale  # output over undistorted input pixel
        ny, nx = grid.shape
        output = Resample(
            {
                "wcs": grid.window(-PAD, nx + PAD, -PAD, ny + PAD),
                "pixel_scale": grid.pixel_scale,
                "pixel_scale_ratio": ratio,
            },
            n_input_models=len(self.frames),
            kernel=kernel,
            pixfrac=pixfrac,
            fillval="NaN",
            good_bits=0,
            enable_var=False,
            weight_type="exptime" if weight == "EXP" else "ivm",
        )
        for path in members:
            for extver in self.chips:
                frame = self.frames[path, extver]
                factor = np.float32(
                    ratio**2 * self.electrons(frame) / frame.exposure_time
                )  # to electrons/s, output pixels
                good = self.good(path, extver, bits)
                if cosmic_rays:
                    good &= fits.getdata(self.folder / f"{self.root(path)}_sci{extver}_crmask.fits") == 1
                data = (frame.data - np.float32(self.sky(path, extver))) * factor
                output.add_model(
                    {
                        "data": data,
                        "dq": (~good).astype(np.uint32),
                        "pixmap": astrodrizzle_pixmap.pixmap(frame.wcs, output.output_wcs, stepsize),
                        "var_rnoise": self.variance(path, extver, weight) * factor**2,
                        "var_poisson": None,
                        "var_flat": None,
                        "var_sky": None,
                        "err": None,
                        "exposure_time": frame.exposure_time,
                        "measurement_time": None,
                        "duration": frame.exposure_time,
                        "start_time": frame.start_time,
                        "end_time": frame.end_time,
                        "group_id": path.name,
                        "filename": path.name,
                        "level": None,
                        "subtracted": True,
                        "pixelarea_steradians": None,
                    }
                )
        output.finalize()
        inner = np.s_[..., PAD:-PAD, PAD:-PAD]
        return {key: output.output_model[key][inner] for key in ("data", "wht", "con")}


def bit_number(text):
    return sum(int(word) for word in str(text).replace("+", ",").split(","))


def check_static(run):
    """Pixels of the static masks that differ, and how many are masked."""
    differ = masked = 0
    for extver in run.chips:
        ours = static_mask(run.frames[path, extver].data for path in run.paths)
        peer = run.static(extver)
        differ += np.count_nonzero(ours != peer)
        masked += np.count_nonzero(~ours)
    return {"differ": int(differ), "masked": int(masked)}


def compare_images(ours, weight, peer, peer_weight, total):
    """`total`: the largest weight. Flux differences where both are covered; weights in units of `total`."""
    both = (weight > 0) & (peer_weight > 0)
    flux = np.abs(ours[both] - peer[both])
    return {
        "wht": float(np.abs(weight - peer_weight).max() / total),
        "sci": float(flux.max()),
        "sci_rel": float((flux / np.maximum(np.abs(peer[both]), 0.1)).max()),
        "covered_differ": int(np.count_nonzero((weight > 0) != (peer_weight > 0))),
        "pixels": int(both.sum()),
    }


def check_singles(run):
    """The largest differences of all single-drizzled images; from the peer's static masks and sky."""
    grid, worst = run.grid("single"), {}
    for path in run.paths:
        ours = run.drizzled(
            grid,
            [path],
            kernel=run.keywords.get("driz_sep_kernel", "turbo"),
            pixfrac=run.keywords.get("driz_sep_pixfrac", 1.0),
            bits=bit_number(run.keywords.get("driz_sep_bits", 0)),
            cosmic_rays=False,
        )
        peer, weight = (image(run.folder / f"{run.root(path)}_single_{kind}.fits") for kind in ("sci", "wht"))
        figures = compare_images(ours["data"], ours["wht"], peer, weight, weight.max())
        worst = {key: max(value, worst.get(key, 0)) for key, value in figures.items()}
    return worst


def check_final(run):
    """The mosaic, its weights and context; from the peer's cosmic-ray masks, static masks and sky."""
    ours = run.drizzled(
        run.grid("final"),
        run.paths,
        kernel=run.keywords.get("final_kernel", "square"),
        pixfrac=run.keywords.get("final_pixfrac", 1.0),
        bits=bit_number(run.keywords.get("final_bits", 0)),
        cosmic_rays=True,
        weight=run.keywords.get("final_wht_type", "EXP"),
    )
    sci, weight = (image(run.folder / f"{PRODUCT}_drz_{kind}.fits") for kind in ("sci", "wht"))
    context = fits.getdata(run.folder / f"{PRODUCT}_drz_ctx.fits")
    if run.keywords.get("final_units") == "counts":
        sci /= np.float32(sum(run.frames[path, 1].exposure_time for path in run.paths))
    figures = compare_images(ours["data"], ours["wht"], sci, weight, weight.max())
    return {**figures, "ctx_differ": int(np.count_nonzero(ours["con"].reshape(context.shape) != context))}


def check_crmasks(run):
    """Blots from the peer's median, and cosmic-ray masks from the peer's blots and from ours."""
    grid, interp = run.grid("single"), run.keywords.get("blot_interp", "poly5")
    median = image(run.folder / f"{PRODUCT}_med.fits")
    ratio = grid.pixel_scale / run.scale
    settings = {
        "snr": run.keywords.get("driz_cr_snr", "3.5 3.0"),
        "scale": run.keywords.get("driz_cr_scale", "1.2 0.7"),
        "grow": run.keywords.get("driz_cr_grow", 1),
        "ctegrow": run.keywords.get("driz_cr_ctegrow", 0),
        "gain": 1.0,
        "derivative_edges": "zero",
        "sky_counted": "twice",
    }
    out = {"blot": 0.0, "differ": 0, "differ_own_blot": 0, "cosmic_rays": 0, "stray": 0}
    for path in run.paths:
        for extver in run.chips:
            frame, sky = run.frames[path, extver], run.sky(path, extver)
            electrons = run.electrons(frame)
            pixmap = astrodrizzle_pixmap.pixmap(frame.wcs, grid)
            own = blot(median, pixmap, fillval=0.0, interp=interp)
            own = own * np.float32(frame.exposure_time / ratio**2 / electrons) + np.float32(sky)
            peer = image(run.folder / f"{run.root(path)}_sci{extver}_blt.fits")
            stray = stray_memory(pixmap, grid.shape, interp)
            error = np.abs(own - peer) / np.maximum(np.abs(peer), 1 / electrons)
            out["blot"] = max(out["blot"], float(error[~stray].max()))
            with fits.open(path) as hdus:
                primary, header = hdus[0].header, hdus["SCI", extver].header
                direction = hst_detectors.cte_direction(
                    primary["INSTRUME"], primary["DETECTOR"], header["CCDCHIP"], primary["CCDAMP"]
                )
            mask = fits.getdata(run.folder / f"{run.root(path)}_sci{extver}_crmask.fits") == 0
            near = stray_neighbours(stray)
            for key, blotted in (("differ", peer), ("differ_own_blot", own)):
                found = driz_cr(
                    frame.data * np.float32(electrons),
                    blotted * np.float32(electrons),
                    readnoise=frame.readnoise,
                    sky=sky * electrons,
                    cte_dir=direction,
                    **settings,
                )
                out[key] += np.count_nonzero((found != mask) & ~near)
            out["cosmic_rays"] += np.count_nonzero(mask)
            out["stray"] += np.count_nonzero(stray)
    return {key: float(value) if key == "blot" else int(value) for key, value in out.items()}


def stray_memory(pixmap, shape, interp):
    """Pixels whose blot the peer takes from memory that is not the median's; see `drizzleflow.outliers.blot`."""
    ny, nx = shape
    if interp == "nearest":
        return (pixmap[..., 0] >= nx - 0.5) | (pixmap[..., 1] >= ny - 0.5)
    return (pixmap[..., 1] > ny - 1) & (interp == "poly3")


def stray_neighbours(stray):
    """Pixels that a stray value may reach: its derivative's and its 3 x 3 neighbours."""
    out = stray.copy()
    for dy in range(-2, 3):
        for dx in range(-2, 3):
            out |= np.roll(stray, (dy, dx), axis=(0, 1))
    return out


def grid_difference(run, step):
    """Largest distance in pixels of our grid's corners from those of the peer's image, and whether the shapes
    agree.
    """
    from astropy.wcs import WCS

    name = f"{run.root(run.paths[0])}_single_sci.fits" if step == "single" else f"{PRODUCT}_drz_sci.fits"
    header = fits.getheader(run.folder / name)
    grid, wcs = run.grid(step), WCS(header)
    ny, nx = header["NAXIS2"], header["NAXIS1"]
    x, y = np.array([0, nx, 0, nx, nx / 2]), np.array([0, 0, ny, ny, ny / 2])
    u, v = grid.to_pixel(*wcs.wcs_pix2world(x, y, 0))
    return {"pixels": float(np.hypot(u - x, v - y).max()), "shape": list(grid.shape), "peer_shape": [ny, nx]}
