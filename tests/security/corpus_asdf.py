"""Roman files that are broken in their tree or in their blocks."""

import re
import struct
import zlib

from corpus import case

HEAD = struct.Struct(">I4sQQQ16s")


def roman(name, stage, says="", **more):
    return case(name, "roman", stage, says, **more)


def block(b, source: int, change) -> None:
    """Change block `source`: ``change(flags, compression, allocated, used, size, digest, content)`` gives
    them anew.
    """
    content = b.bad.read_bytes()
    at = re.search(rb"\n\.\.\.\r?\n", content).end()
    at = content.index(b"\xd3BLK", at)
    for _ in range(source):
        allocated = HEAD.unpack_from(content, at + 6)[2]
        at += 6 + HEAD.size + allocated
    fields = HEAD.unpack_from(content, at + 6)
    start = at + 6 + HEAD.size
    *fields, raw = change(*fields, content[start : start + fields[2]])
    b.bad.write_bytes(
        content[: at + 6] + HEAD.pack(*fields) + raw + content[start + HEAD.unpack_from(content, at + 6)[2] :]
    )


def packed(kind: bytes, content: bytes, size=None):
    def change(flags, _kind, allocated, used, whole, digest, raw):
        return flags, kind, len(content), len(content), whole if size is None else size, bytes(16), content

    return change


def replanned(pattern: str, new: str, name: str, stage: str, says: str = "", **more):
    @roman(name, stage, says, **more)
    def _(b):
        b.tree(pattern, new)


DATA = r"(?<=\n  data: )!core/ndarray[^\n]*\n(    [^\n]*\n)+"


def source_of(b, name="data") -> str:
    """The block of a plane, as the tree says."""
    return re.search(
        rf"\n  {name}: !core/ndarray.*?source: (\d+)", b.bad.read_bytes().decode("latin-1"), re.DOTALL
    )[1]


def data(name, says, stage="plan", **change):
    """The description of `roman.data` with some entries changed."""

    @roman(name, stage, says)
    def _(b):
        entries = {
            "source": source_of(b),
            "datatype": "float32",
            "byteorder": "little",
            "shape": "[24, 32]",
        } | change
        lines = "".join(f"    {key}: {value}\n" for key, value in entries.items())
        b.tree(DATA, "!core/ndarray-1.1.0\n" + lines)


data("its data in a block that is not there", r"no block 99, it has \d+", source="99")
data("its data in a negative block", r"its data are at -1, expected a block of this file", source="-1")
data("its data in another file", r"its data are at 'http", source="http://localhost:9/x.asdf")
data("its data in a list of blocks", r"its data are at \[1, 2\]", source="[1, 2]")
data(
    "a shape beyond the block",
    r"the file is cut short \(3072 bytes in block \d+, expected \d+ from byte 0 on\)",
    shape="[100000, 100000]",
)
data("a shape that is negative", "shape", shape="[-24, 32]")
data("a shape of zeros", r"shape \(0, 0\)", shape="[0, 0]")
data("a shape of text", "shape", shape="[many, more]")
data("a shape of a thousand axes", "shape", shape=f"[{', '.join(['1'] * 1000)}]")
data(
    "a shape that strides make of four bytes",
    "the file is cut short",
    shape="[1000000, 1000000]",
    strides="[0, 0]",
)
data("strides out of the block", "", "accepted", strides="[1000000, 4]")
data("an offset beyond the block", "the file is cut short", offset="1000000")
data("a negative offset", "the file is cut short", offset="-4000")
data("an offset of text", "offset 'far'", offset="far")
data("an unknown type of numbers", r"shape .* of 'float1024'", datatype="float1024")
data("objects for numbers", r"shape .* of 'object'", datatype="object")
data(
    "a type that is a list",
    r"expected whole numbers and a plain number type",
    datatype="[{name: a, datatype: float32}]",
)

replanned(r"\n  meta:", "\n  atem:", "no meta", "plan", "no 'roman.meta' in the tree")
replanned(r"\nroman:", "\nroma:", "no roman", "plan", "no 'roman' in the tree")
replanned(r"\n  data:", "\n  image:", "no data", "plan", "no 'roman.data' in the tree")
replanned(r"\n  err:", "\n  error:", "no err", "plan", "no error plane, expected ERR")
replanned(r"\nroman:", "\nroman: {meta: []}\nold:", "meta is a list", "plan", "no 'roman.meta' in the tree")
replanned(r"WFI_IMAGE", "&x [*x]", "a list that contains itself", "plan", "not valid YAML|contains itself")
replanned(
    r"\n  data:",
    "\n  data: [[1, 2], [3]]\n  old:",
    "rows of different lengths",
    "plan",
    r"\[data\]: shape None",
)
replanned(
    r"\n  err:",
    "\n  err: !core/ndarray-1.1.0 {shape: [24, 32], data: 5}\n  old:",
    "an array of one number",
    "plan",
    r"\[err\]: shape",
)
replanned(
    r"\n  data:", "\n  data: [[a, b], [c, d]]\n  old:", "an image of letters", "plan", "shape|not an array"
)
replanned(
    r"\nroman:",
    "\nroman: " + "[" * 100_000 + "\nold:",
    "brackets beyond the stack",
    "plan",
    "more than 200 collections",
)
replanned(r"\nroman:", "\n\troman:", "a tab in the tree", "plan", "not valid YAML")
replanned(r"WFI_IMAGE", '"\ud800"', "half a character", "plan", "not UTF-8 text|not valid YAML")
replanned(
    r"start_time: [^,}]*",
    "start_time: the day before",
    "a time that is none",
    "footprint",
    "time 'the day before', expected a text like",
)
replanned(
    r"start_time: [^,}]*",
    "start_time: {format: unheard, value: 3}",
    "a time of an unknown kind",
    "footprint",
    "a time that cannot be read",
)
replanned(
    r"\n    wcs: ", "\n    wcs: null\n    old_wcs: ", "no WCS", "footprint", "no 'roman.meta.wcs' in the tree"
)
replanned(
    r"\n    wcs: ",
    "\n    wcs: {a: 1}\n    old_wcs: ",
    "a WCS that is a table",
    "footprint",
    "no readable GWCS at roman.meta.wcs",
)
replanned(
    r"\n  meta:",
    "\n  meta:\n    mine: !<tag:nowhere.org:thing-9.9> {a: !other/tag-1.0 [1, 2]}",
    "foreign tags",
    "accepted",
)
replanned(
    r"\n  meta:",
    '\n  meta:\n    mine: !!python/object/apply:os.system ["touch PWNED"]',
    "a tag that would run a command",
    "accepted",
)

LAUGHS = "a0: &a0 [x,x,x,x,x,x,x,x,x,x]\n" + "".join(
    f"a{i}: &a{i} [{','.join([f'*a{i - 1}'] * 10)}]\n" for i in range(1, 12)
)


@roman("a billion laughs", "plan", "its aliases make more than")
def _(b):
    b.tree(r"\nroman:", "\n" + LAUGHS + "roman:")


@roman("a GWCS that cannot be evaluated", "plan|footprint", "GWCS|not valid YAML")
def _(b):  # found by fuzzing: gwcs fails in its own ways where models do not fit together
    b.tree(r"mapping: \[0, 1, 0, 1\]", "mapping: [0, 0, 0, 0]")


@roman("exposure times NaN and infinite", "footprint", "exposure time None, expected a positive number")
def _(b):
    b.tree(r"(?<=effective_exposure_time: )[^,}]*", ".nan")
    b.tree(r"(?<=[{ ]exposure_time: )[^,}]*", ".inf")


@roman("a small laugh for a name", "accepted")
def _(b):
    b.tree(r"\nroman:", "\n" + "".join(LAUGHS.splitlines(True)[:4]) + "roman:")
    b.tree(r"(?<=detector: )[^,}]*", "*a3")


@roman("err transposed", "plan", r"\[err\]: shape \(32, 24\), expected \(24, 32\) as data has")
def _(b):
    b.tree(
        r"(?<=\n  err: )(.*?shape: )\[24, 32\]",
        "!core/ndarray-1.1.0\n    source: 0\n    datatype: float32\n    byteorder: little\n    shape: [32, 24]",
    )


@roman("flags of numbers with fractions, Roman", "plan", r"\[dq\]: flags of type float32, expected integers")
def _(b):
    b.tree(
        r"(?<=\n  dq: )(.*?shape: )\[24, 32\]",
        "!core/ndarray-1.1.0\n    source: 0\n    datatype: float32\n    byteorder: little\n    shape: [24, 32]",
    )


@roman("a bit of a block flipped", "footprint", "block 0 is not that of its checksum: the file is damaged")
def _(b):
    block(b, 0, lambda *f: (*f[:-1], bytes([f[-1][0] ^ 1]) + f[-1][1:]))


@roman("cut in its tree", "plan", "the file is cut short: its tree has no end")
def _(b):
    b.cut(900)


@roman("cut in a block", "plan", "the file is cut short")
def _(b):
    b.cut(b.bad.stat().st_size // 2)


@roman("cut after its tree", "plan", "the file is cut short: no block \\d+, it has 0")
def _(b):
    content = b.bad.read_bytes()
    b.cut(re.search(rb"\n\.\.\.\r?\n", content).end())


@roman("a block larger than the file", "plan", "the file is cut short")
def _(b):
    block(
        b,
        0,
        lambda flags, kind, allocated, used, size, digest, raw: (
            flags,
            kind,
            1 << 62,
            1 << 62,
            size,
            digest,
            raw,
        ),
    )


# block 0 belongs to the WCS, which `footprint` opens; the planes' blocks are read later


def spoiled(name, change, says):
    @roman(f"{name}, the WCS's block", "footprint", f"block 0: {says}")
    def _(b):
        block(b, 0, change)

    @roman(f"{name}, the image's block", "accepted")
    def _(b):
        block(b, int(source_of(b)), change)


def relabelled(kind):
    return lambda flags, _kind, *rest: (flags, kind, *rest)


spoiled("not compressed as it says", relabelled(b"zlib"), "cannot be decompressed")
spoiled(
    "an unknown compression", relabelled(b"what"), "unknown compression 'what', expected zlib, bzp2 or lz4"
)
spoiled(
    "lz4 that is none",
    packed(b"lz4", struct.pack(">I", 4000) + bytes(range(256)) * 20),
    "cannot be decompressed",
)
spoiled(
    "lz4 that claims two gigabytes",
    packed(b"lz4", struct.pack(">I", 20) + struct.pack("<I", 0x7FFFFFFF) + bytes(16)),
    "cannot be decompressed",
)
spoiled(
    "zlib that unpacks to more than it says",
    packed(b"zlib", zlib.compress(bytes(300_000_000), 9)),
    "cannot be decompressed",
)


@roman("an index of blocks that lies", "accepted")
def _(b):
    content = b.bad.read_bytes()
    start = content.rindex(b"#ASDF BLOCK INDEX")
    b.bad.write_bytes(content[:start] + b"#ASDF BLOCK INDEX\n%YAML 1.1\n---\n- 1\n- 99999999999\n...\n")
