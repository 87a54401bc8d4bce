"""Values and headers that make no sense: coordinates, times, units, pixels."""

import numpy as np
from astropy.io import fits
from bench import SHAPE
from corpus import case

UNUSABLE = r"its WCS cannot be used|the WCS is not finite|no usable pixel size|no celestial WCS|off the sky|cannot be inverted"


def wcs(name, says=UNUSABLE, stage="footprint", **cards):
    """A plain image whose WCS keywords are those given as raw cards."""

    @case(name, "simple", stage, says)
    def _(b):
        for key, value in cards.items():
            b.card(key, value, 1)


wcs("a singular CD matrix", CD1_1="1.0E-4", CD1_2="1.0E-4", CD2_1="1.0E-4", CD2_2="1.0E-4")
wcs("a CD matrix of zeros", CD1_1="0.0", CD1_2="0.0", CD2_1="0.0", CD2_2="0.0")
wcs("declination 95 degrees", r"Dec|off the sky|declination", CRVAL2="95.0")
wcs("declination -1000 degrees", r"Dec|off the sky|declination", CRVAL2="-1000.0")
wcs("CRVAL is NaN", CRVAL1="NaN")
wcs("CRVAL is text", CRVAL1="'north   '")
wcs("CRVAL is infinite", CRVAL1="1.0E999")
wcs("an unknown projection", CTYPE1="'RA---XYZ'", CTYPE2="'DEC--XYZ'")
wcs("axes that are not of the sky", CTYPE1="'WAVE    '", CTYPE2="'OFFSET  '")
wcs("two longitudes", CTYPE1="'RA---TAN'", CTYPE2="'RA---TAN'")
wcs("CRPIX at the end of the world", CRPIX1="1.0E30", CRPIX2="1.0E30")
wcs("pixels of 1e-30 degrees", CD1_1="1.0E-30", CD1_2="0.0", CD2_1="0.0", CD2_2="1.0E-30")
wcs("pixels of 90 degrees", CD1_1="90.0", CD1_2="0.0", CD2_1="0.0", CD2_2="90.0")
wcs("CUNIT of another world", CUNIT1="'furlong '", CUNIT2="'furlong '")
wcs(
    "distortion of an absurd order",
    f"{UNUSABLE}|A_ORDER",
    CTYPE1="'RA---TAN-SIP'",
    CTYPE2="'DEC--TAN-SIP'",
    A_ORDER="999",
    B_ORDER="999",
)
wcs("distortion coefficients of NaN", PV1_1="NaN", PV2_1="NaN")
wcs(
    "an unknown celestial frame",
    r"its celestial frame is unknown|its WCS cannot be used",
    RADESYS="'NOWHERE '",
)


@case("no WCS at all", "simple", "footprint", "no celestial WCS on axes 1 and 2")
def _(b):
    with fits.open(b.bad) as hdus:
        keys = [
            k for k in hdus["SCI"].header if k.startswith(("CTYPE", "CRVAL", "CRPIX", "CD", "PV", "CUNIT"))
        ]
    b.drop(*keys, hdu=1)


@case("lookup tables that are not there", "hst", "footprint", "its WCS cannot be used")
def _(b):
    for card in ("CPDIS1", "CPDIS2"):
        b.card(card, "'LOOKUP  '", 1)
    b.card("DP1", "'EXTVER: 9'", 1)


def tree_of(b, change):
    """Change the ASDF extension's bytes."""

    def edit(hdus):
        content = change(hdus["ASDF"].data[0][0].tobytes())
        column = fits.Column(
            "ASDF_METADATA", f"{len(content)}B", array=np.frombuffer(content, np.uint8)[None]
        )
        hdus[hdus.index_of("ASDF")] = fits.BinTableHDU.from_columns([column], name="ASDF")

    b.edit(edit)


HEAD = b"#ASDF 1.0.0\n#ASDF_STANDARD 1.5.0\n%YAML 1.1\n%TAG ! tag:stsci.edu:asdf/\n--- !core/asdf-1.1.0\n"


def gwcs(name, content, says):
    @case(name, "jwst", "footprint", says)
    def _(b):
        tree_of(b, content if callable(content) else lambda _: HEAD + content + b"\n...\n")


LAUGHS = b"a0: &a0 [x,x,x,x,x,x,x,x,x,x]\n" + b"".join(
    b"a%d: &a%d [%s]\n" % (i, i, b",".join([b"*a%d" % (i - 1)] * 10)) for i in range(1, 12)
)
gwcs("no GWCS in the tree", b"meta: {other: 1}", "no readable GWCS at meta.wcs")
gwcs("a GWCS that is a word", b"meta: {wcs: none}", r"no GWCS at meta.wcs \(str\)")
gwcs("a GWCS that is a list of lists", b"meta: {wcs: [[1], [2]]}", r"no GWCS at meta.wcs")
gwcs("the GWCS's tree is noise", lambda old: bytes(range(256)) * 40, "not an ASDF tree|not valid YAML")
gwcs("the GWCS's tree is cut short", lambda old: old[:3000], "not an ASDF tree, or cut short")
gwcs("a billion laughs in the GWCS", LAUGHS + b"meta: {wcs: *a11}", "its aliases make more than")
gwcs(
    "brackets beyond the stack in the GWCS",
    b"meta: " + b"[" * 100_000,
    "more than 200 collections in one another",
)
gwcs(
    "a GWCS whose array is on another machine",
    b'meta: {wcs: !core/ndarray-1.0.0 {source: "http://localhost:9/x", datatype: float64, shape: [2], byteorder: little}}',
    "an array is in another file",
)


@case("arrays that are in the file's own HDUs", "jwst", "accepted")
def _(b):  # as the JWST pipeline writes them
    own = b"data: !core/ndarray-1.0.0 {source: 'fits:SCI,1', datatype: float32, byteorder: big, shape: [24, 32]}\n"
    tree_of(b, lambda old: old.replace(b"\nmeta:", b"\n" + own + b"meta:", 1))


gwcs(
    "a GWCS that would run a command",
    b'meta: {wcs: !!python/object/apply:os.system ["touch PWNED"]}',
    "no GWCS at meta.wcs|no readable GWCS",
)


# -- times and units


def exposure(
    name,
    value,
    flavour="simple",
    key="EXPTIME",
    says="exposure time .*, expected a positive number of seconds",
):
    @case(name, flavour, "plan|footprint", f"{says}|Unparsable card")
    def _(b):
        b.drop(key)
        if value is not None:
            b.card(key, value)


exposure("exposure time zero", "0.0")
exposure("exposure time negative", "-30.0")
exposure("exposure time missing", None)
exposure("exposure time NaN", "NaN")
exposure("exposure time infinite", "1.0E999")
exposure("exposure time is text", "'long    '")
exposure("exposure time is a truth value", "                   T")
exposure("exposure time undefined", "")
exposure("exposure time missing, HST", None, "hst")
exposure("exposure time zero, JWST", "0.0", "jwst", "EFFEXPTM")
exposure("exposure time is text, JWST", "'long    '", "jwst", "EFFEXPTM")


@case("an unknown unit", "hst", "footprint", r"BUNIT 'BANANAS', expected one of ELECTRONS")
def _(b):
    b.card("BUNIT", "'BANANAS '", 1)


@case("no unit", "hst", "footprint", r"BUNIT '', expected one of ELECTRONS")
def _(b):
    b.drop("BUNIT", hdu=1)


@case("a group that cannot be a file name", "jwst", "plan", r"group '.*' cannot be a file name")
def _(b):
    b.card("PROGRAM", "'../../x '")


@case("chip, gain and background of nonsense", "hst", "accepted")
def _(b):
    b.card("CCDCHIP", "'left    '", 1)
    b.card("ATODGNA", "'much    '")
    b.card("MDRIZSKY", "'dark    '", 1)


@case("cards that are no FITS", "simple", "accepted")
def _(b):
    b.card("NONSENSE", "1.2.3.4 / unparsable")
    b.card("QUOTE", "'never closed")
    b.card("BELL", "'\x07\x1b[31m'")


def unparsable(
    name,
    key,
    hdu=1,
    says="Unparsable card|a header card that is no FITS|its WCS cannot be used",
    flavour="simple",
):
    """Found by fuzzing: astropy looks at a card when it is asked for its value, long after the file is
    opened.
    """

    @case(f"a card that cannot be parsed, {name}", flavour, "plan|footprint", says)
    def _(b):
        b.card(key, "1.2.3.4 5", hdu)


unparsable("the unit", "BUNIT")
unparsable("the matrix", "CD1_1")
unparsable("the projection", "CTYPE1")
unparsable("the exposure time", "EXPTIME", 0)
unparsable("the chip", "CCDCHIP", flavour="hst")


@case("headers that are not ASCII", "simple", "accepted")
def _(b):
    b.replace(b"'PLAIN   '", b"'PL\xc4\xffN   '")


# -- pixels: read as they are, see docs/formats.md


def pixels(name, change, flavour="jwst"):
    @case(name, flavour, "accepted")
    def _(b):
        b.edit(change)


def fill(value, *names):
    def change(hdus):
        for name in names:
            hdus[name].data = np.full(SHAPE, value, hdus[name].data.dtype)

    return change


pixels("NaN everywhere", fill(np.nan, "SCI", "ERR", "VAR_RNOISE"))
pixels("infinity everywhere", fill(np.inf, "SCI", "ERR"))
pixels("minus infinity in the image", fill(-np.inf, "SCI"))
pixels("uncertainties of zero", fill(0.0, "ERR", "VAR_RNOISE"))
pixels("negative uncertainties", fill(-1.0, "ERR"))
pixels("every pixel flagged", fill(0xFFFFFFFF, "DQ"))
pixels("every pixel flagged, HST", fill(-1, ("DQ", 1), ("DQ", 2)), "hst")
