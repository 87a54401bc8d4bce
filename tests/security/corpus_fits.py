"""Broken FITS files: cut, damaged, without what is needed, of the wrong kind."""

import gzip
import lzma
import shutil

import numpy as np
from astropy.io import fits
from bench import SHAPE
from corpus import case

NY, NX = SHAPE


def simple(name, stage, says="", flavour="simple", **more):
    return case(name, flavour, stage, says, **more)


# -- the file ends too early, or too late


@simple("an empty file", "plan", r"not a readable FITS file \(it does not begin with SIMPLE, 0 bytes read\)")
def _(b):
    b.cut(0)


@simple("cut in the primary header", "plan", "cut short in the header of HDU 0")
def _(b):
    b.cut(1500)


@case("cut in the header of SCI", "jwst", "plan", r"cut short in the header of HDU 1")
def _(b):
    b.cut(b.place("SCI")[0] + 1000)


@case(
    "cut in the pixels of SCI", "jwst", "plan", r"\[SCI\]: the file is cut short \(\d+ bytes, expected \d+\)"
)
def _(b):
    b.cut(b.place("SCI")[1] + 1000)


@case("cut in the header of ERR", "hst", "plan", "cut short in the header of HDU 2")
def _(b):
    b.cut(b.place(("ERR", 1))[0] + 400)


@simple("cut in the pixels of the last extension", "plan", r"\[DQ\]: the file is cut short")
def _(b):
    b.cut(b.place("DQ")[1] + 4)


@simple("one byte of the pixels missing", "plan", r"\[DQ\]: the file is cut short")
def _(b):
    _, data, size = b.place("DQ")
    b.cut(data + size - 1)


@simple("only the padding of the last block missing", "accepted")
def _(b):
    _, data, size = b.place("DQ")
    b.cut(data + size)


@case("cut in the ASDF extension", "jwst", "plan", r"\[ASDF\]: the file is cut short")
def _(b):
    b.cut(b.place("ASDF")[1] + 5000)


@simple("cut between SCI and ERR", "plan", "no error plane, expected ERR or an inverse variance")
def _(b):
    b.cut(b.place("ERR")[0])


@simple("bytes appended", "plan", "what follows its last HDU .* is no extension")
def _(b):
    b.bad.write_bytes(b.bad.read_bytes() + b"spam" * 1000)


@simple("blank blocks appended", "accepted")
def _(b):
    b.bad.write_bytes(b.bad.read_bytes() + bytes(2880))


@simple("an extension's first card damaged", "plan", "what follows its last HDU .* is no extension")
def _(b):
    b.flip(b.place("ERR")[0])


@simple("no END card", "plan", "is twice in its header|cut short in the header|no END")
def _(b):
    b.replace(b"END".ljust(80), b"ENDE".ljust(80), count=-1)


@simple("SIMPLE is F", "plan", "SIMPLE is not T")
def _(b):
    b.card("SIMPLE", "                   F")


@simple("a text file", "plan", "does not begin with SIMPLE")
def _(b):
    b.bad.write_text("path\n")


@simple("the page of a failed download", "plan", "does not begin with SIMPLE")
def _(b):
    b.bad.write_text("<html><body>404 Not Found</body></html>")


def packed(b, content, ending):
    path = b.bad.with_name(b.bad.name + ending)
    path.write_bytes(content)
    b.bad.unlink()
    b.bad = path
    b.table([path.name, b.members[1].name])


@simple("gzipped and whole", "accepted")
def _(b):
    packed(b, gzip.compress(b.bad.read_bytes()), ".gz")


@simple("gzipped and cut short", "plan", "cut short|cannot be|not a readable")
def _(b):
    packed(b, gzip.compress(b.bad.read_bytes())[:-3000], ".gz")


@simple(
    "gzipped and damaged at its end", "plan", "cut short|cannot be|not a readable|is no extension|is damaged"
)
def _(b):
    content = bytearray(gzip.compress(b.bad.read_bytes(), 1))
    content[-2000] ^= 255  # what comes out behind it is noise
    packed(b, bytes(content), ".gz")


@simple("gzipped, of a file that is cut short", "plan", "cut short")
def _(b):
    packed(b, gzip.compress(b.bad.read_bytes()[: b.place("DQ")[1] + 8]), ".gz")


@simple("gzipped, of huge axes", "plan", "the file is cut short|what follows its last HDU")
def _(b):  # found by fuzzing: astropy goes on for ever
    b.card("NAXIS1", "          1000000000", 1)
    packed(b, gzip.compress(b.bad.read_bytes()), ".gz")


@simple("packed by xz", "plan", "does not begin with SIMPLE")
def _(b):
    packed(b, lzma.compress(b.bad.read_bytes()), ".xz")


# -- headers that describe no possible data


@simple("BITPIX 12", "plan", "BITPIX is 12, expected one of 8, 16, 32, 64, -32, -64")
def _(b):
    b.card("BITPIX", "                  12", 1)


@simple("BITPIX is text", "plan", "BITPIX is .* expected a whole number")
def _(b):
    b.card("BITPIX", "'float   '", 1)


@simple("a negative axis", "plan", "NAXIS1 is -32, expected a whole number from 0")
def _(b):
    b.card("NAXIS1", "                 -32", 1)


@simple("an axis of length 0", "plan", r"\[SCI\]: what follows|is no extension|0 x \d+ pixels")
def _(b):
    b.card("NAXIS1", "                   0", 1)


@simple("an image without pixels", "plan", "0 x 24 pixels; expected an image")
def _(b):
    b.edit(lambda hdus: setattr(hdus["SCI"], "data", np.zeros((NY, 0), np.float32)))


@simple("huge axes without data", "plan", r"\[SCI\]: the file is cut short \(\d+ bytes, expected 4\d{12}\)")
def _(b):
    b.card("NAXIS1", "             1000000", 1)
    b.card("NAXIS2", "             1000000", 1)


@case("huge axes without data, JWST", "jwst", "plan", r"\[DQ\]: the file is cut short")
def _(b):
    b.card("NAXIS1", "          1000000000", 3)


@simple("axes whose product is beyond all integers", "plan", "NAXIS1 is|the file is cut short")
def _(b):
    b.card("NAXIS1", " 999999999999999999", 1)
    b.card("NAXIS2", " 999999999999999999", 1)


@simple("a thousand axes", "plan", "NAXIS is 1000, expected a whole number from 0 to 999")
def _(b):
    b.card("NAXIS", "                1000", 1)


@simple("NAXIS1 missing", "plan", "NAXIS1 is missing")
def _(b):
    b.replace(b"NAXIS1  =                   32", b"NAXISX  =                   32")


@simple("NAXIS1 twice", "plan", "NAXIS1 is twice in its header")
def _(b):
    b.card("NAXISX", "                   1", 1)
    b.replace(b"NAXISX  =", b"NAXIS1  =")


@simple("a negative heap", "plan", "PCOUNT is -9, expected")
def _(b):
    b.card("PCOUNT", "                  -9", 1)


@simple("a compressed image larger than its tiles", "plan", r"a compressed image of \[\d+\] tiles, expected")
def _(b):
    with fits.open(b.bad) as hdus:
        image = fits.CompImageHDU(hdus["SCI"].data, hdus["SCI"].header, "SCI", compression_type="GZIP_1")
        fits.HDUList([hdus[0].copy(), image, hdus["ERR"].copy()]).writeto(b.bad, overwrite=True)
    content = b.bad.read_bytes()
    old = next(content[i : i + 80] for i in range(0, len(content), 80) if content[i : i + 8] == b"ZNAXIS2 ")
    b.bad.write_bytes(content.replace(old, b"ZNAXIS2 =           1000000000".ljust(80)))


@simple("a compressed image, whole", "accepted")
def _(b):
    with fits.open(b.bad) as hdus:
        image = fits.CompImageHDU(hdus["SCI"].data, hdus["SCI"].header, "SCI", compression_type="GZIP_1")
        fits.HDUList([hdus[0].copy(), image, hdus["ERR"].copy()]).writeto(b.bad, overwrite=True)


# -- checksums


@simple("a bit of the image flipped", "footprint", r"\[SCI\]: the data are not those of DATASUM .*damaged")
def _(b):
    b.flip(b.place("SCI")[1] + 77)


@case("a bit of the uncertainties flipped", "hst", "footprint", r"\[ERR\]: the data are not those of DATASUM")
def _(b):
    b.flip(b.place(("ERR", 2))[1] + 77)


@case("a bit of the GWCS flipped", "jwst", "footprint", r"\[ASDF\]: the data are not those of DATASUM")
def _(b):
    b.flip(b.place("ASDF")[1] + 3000)


@simple("a header edited after its checksum", "accepted", "its header is not that of CHECKSUM")
def _(b):
    b.replace(b"'PLAIN   '", b"'PLANE   '")


@simple("checksums that are none", "accepted")
def _(b):
    b.card("DATASUM", "'none    '", 1)
    b.card("CHECKSUM", "'?       '", 1)


@simple(
    "a bit of the weights beside the image flipped",
    "footprint",
    r"weight\.fits\[SCI\]: the data are not those",
    named="none",
)
def _(b):
    beside(b, "ivar", lambda path: b.flip(b.place("SCI", path)[1] + 8, path))


def beside(b, column, spoil):
    """A companion beside the bad member, spoiled."""
    path = b.folder / "weight.fits"
    shutil.copy(b.members[1], path)
    spoil(path)
    b.table(f"path,{column}\n{b.bad.name},{path.name}\n{b.members[1].name},")


# -- extensions: missing, twice, of another shape or kind


@case("no SCI, JWST", "jwst", "plan", "no SCI extension; a JWST member is a calibrated image")
def _(b):
    b.edit(lambda hdus: hdus.pop(1))


@case("no SCI, HST", "hst", "plan", "no SCI extension with an image; an HST member is a calibrated image")
def _(b):
    b.edit(lambda hdus: [hdus.pop(hdus.index_of(("SCI", v))) for v in (1, 2)])


@simple("no image at all", "plan", "no image in any HDU; expected a 2-D image")
def _(b):
    b.edit(lambda hdus: hdus.__delitem__(slice(1, None)))


@case("SCI twice, JWST", "jwst", "plan", "two extensions SCI with EXTVER 1, expected each once")
def _(b):
    b.edit(lambda hdus: hdus.append(hdus["SCI"].copy()))


@case("SCI,1 twice, HST", "hst", "plan", "two extensions SCI with EXTVER 1, expected each once")
def _(b):
    b.edit(lambda hdus: setattr(hdus["SCI", 2], "ver", 1))


@case("DQ twice", "jwst", "plan", "two extensions DQ with EXTVER 1, expected each once")
def _(b):
    b.edit(lambda hdus: hdus.append(hdus["DQ"].copy()))


@case("the ASDF extension twice", "jwst", "plan", "two extensions ASDF with EXTVER 1")
def _(b):
    b.edit(lambda hdus: hdus.append(hdus["ASDF"].copy()))


@simple("ERR twice", "plan", "two extensions ERR with EXTVER 1, expected each once")
def _(b):
    b.edit(lambda hdus: hdus.append(hdus["ERR"].copy()))


@case("no ERR", "jwst", "plan", "no error plane, expected ERR or an inverse variance")
def _(b):
    b.edit(lambda hdus: hdus.pop(hdus.index_of("ERR")))


@case("no ERR of one chip", "hst", "plan", "no error plane, expected ERR or an inverse variance")
def _(b):
    b.edit(lambda hdus: hdus.pop(hdus.index_of(("ERR", 2))))


@case("no ERR where nothing is compared", "jwst", "accepted")
def _(b):
    b.settings["outlier_method"] = "none"
    b.edit(lambda hdus: hdus.pop(hdus.index_of("ERR")))


@case("no DQ", "jwst", "accepted")
def _(b):
    b.edit(lambda hdus: hdus.pop(hdus.index_of("DQ")))


@case("no ASDF extension", "jwst", "footprint", "no ASDF extension; expected the GWCS")
def _(b):
    b.edit(lambda hdus: hdus.pop(hdus.index_of("ASDF")))


@case("a gap in EXTVER", "hst", "accepted", frames=4)
def _(b):
    b.edit(lambda hdus: [setattr(hdus[name, 2], "ver", 7) for name in ("SCI", "ERR", "DQ")])


@case("SCI is a table", "jwst", "plan", r"no SCI|\[SCI\]")
def _(b):
    table = fits.BinTableHDU.from_columns([fits.Column("A", "J", array=[1, 2])], name="SCI")
    b.edit(lambda hdus: hdus.__setitem__(1, table))


@case("SCI is a line", "jwst", "plan", r"\[SCI\]: 1 dimensions; expected an image")
def _(b):
    b.edit(lambda hdus: setattr(hdus["SCI"], "data", np.zeros(9, np.float32)))


@simple("SCI has four axes", "plan", "an image of 4 dimensions; expected 2")
def _(b):
    b.edit(lambda hdus: setattr(hdus["SCI"], "data", np.zeros((2, 3, NY, NX), np.float32)))


@case("SCI of integers", "jwst", "accepted")
def _(b):
    b.edit(lambda hdus: setattr(hdus["SCI"], "data", np.ones(SHAPE, np.int16)))


def swap(*names):
    def change(hdus):
        for name in names:
            hdus[name].data = np.ascontiguousarray(hdus[name].data.T)

    return change


@case("ERR transposed, JWST", "jwst", "plan", r"\[ERR,1\]: shape \(32, 24\), expected \(24, 32\)")
def _(b):
    b.edit(swap("ERR"))


@case("DQ transposed, HST", "hst", "plan", r"\[DQ,2\]: shape \(32, 24\), expected \(24, 32\)")
def _(b):
    b.edit(swap(("DQ", 2)))


@simple("DQ transposed", "plan", r"\[DQ,1\]: shape \(32, 24\), expected \(24, 32\)")
def _(b):
    b.edit(swap("DQ"))


@case("a variance transposed", "jwst", "plan", r"\[VAR_RNOISE,1\]: shape \(32, 24\), expected \(24, 32\)")
def _(b):
    b.edit(swap("VAR_RNOISE"))


@simple(
    "weights beside the image transposed",
    "footprint",
    r"weight\.fits\[SCI,1\]: shape \(32, 24\)",
    named="none",
)
def _(b):
    beside(b, "ivar", lambda path: b.edit(swap("SCI"), path))


@simple(
    "weights beside the image cut short", "plan", r"weight\.fits\[SCI\]: the file is cut short", named="none"
)
def _(b):
    beside(b, "ivar", lambda path: b.cut(b.place("SCI", path)[1] + 9, path))


@simple("flags of numbers with fractions", "plan", r"\[DQ,1\]: flags with BITPIX -32, expected integers")
def _(b):
    b.edit(lambda hdus: setattr(hdus["DQ"], "data", np.zeros(SHAPE, np.float32)))


@case(
    "flags of numbers with fractions, HST",
    "hst",
    "plan",
    r"\[DQ,1\]: flags with BITPIX -64, expected integers",
)
def _(b):
    b.edit(lambda hdus: setattr(hdus["DQ", 1], "data", np.zeros(SHAPE, np.float64)))


@case("flags of 64 bits", "jwst", "accepted")
def _(b):
    b.edit(lambda hdus: setattr(hdus["DQ"], "data", np.zeros(SHAPE, np.int64)))


@simple("flags that are scaled", "plan", "flags with BITPIX 32 and BSCALE 0.5")
def _(b):
    b.card("BSCALE", "                 0.5", 3)


@simple("flags with an odd zero", "plan", r"flags with BITPIX 32 and BZERO 7, expected integers")
def _(b):
    b.card("BZERO", "                   7", 3)


@case("a constant plane of text", "hst", "plan", r"\[ERR,1\]: PIXVALUE is 'many', expected a number")
def _(b):
    def change(hdus):
        hdus[hdus.index_of(("ERR", 1))] = fits.ImageHDU(
            header=fits.Header([("EXTNAME", "ERR"), ("EXTVER", 1), ("PIXVALUE", "many")])
        )

    b.edit(change)
