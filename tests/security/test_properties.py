"""hypothesis: whatever is in a file, it is read, or refused with an `InputError` of one line; it neither
hangs nor asks for the world.
"""

import json
import resource

import pytest
from bench import PRESETS, Bench, defaults, examine, one_line
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from drizzleflow.errors import InputError, harmless
from drizzleflow.plan import association, config

SCHEMA = json.loads((PRESETS.parent / "schemas" / "config.schema.json").read_text())
shared = settings(max_examples=60, deadline=20_000, suppress_health_check=list(HealthCheck))


@pytest.fixture(autouse=True)
def little_memory():
    """What a broken header claims must not be allocated: 3 GiB above what the process has."""
    with open("/proc/self/statm") as file:
        now = int(file.read().split()[0]) * resource.getpagesize()
    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (now + (3 << 30), hard))
    yield
    resource.setrlimit(resource.RLIMIT_AS, (soft, hard))


@st.composite
def mutations(draw, words=(b"\0", b"\xff", b"'", b"\n")):
    """A function that spoils bytes: flips, overwrites, cuts, repeats."""
    changes = draw(
        st.lists(
            st.tuples(
                st.sampled_from("flip put cut drop again".split()),
                st.floats(0, 1),
                st.integers(0, 255),
                st.sampled_from(words),
            ),
            min_size=1,
            max_size=6,
        )
    )

    def spoil(content: bytes) -> bytes:
        for kind, place, number, word in changes:
            at = min(int(place * len(content)), max(0, len(content) - 1))
            if kind == "flip":
                content = (
                    content[:at]
                    + bytes([b ^ (number or 1) for b in content[at : at + 1]])
                    + content[at + 1 :]
                )
            elif kind == "put":
                content = content[:at] + word + content[at + len(word) :]
            elif kind == "cut":
                content = content[: max(1, at)]
            elif kind == "drop":
                content = content[:at] + content[at + number :]
            else:
                content = content[:at] + content[at : at + number] + content[at:]
        return content

    return spoil


CARDS = [
    f"{key:<8}= {value:>20}".ljust(80).encode()
    for key, value in [
        ("NAXIS", 0),
        ("NAXIS", 3),
        ("NAXIS1", -1),
        ("NAXIS1", 10**9),
        ("NAXIS2", 10**9),
        ("BITPIX", 64),
        ("BSCALE", 0.0),
        ("BZERO", "1.0E300"),
        ("EXTNAME", "'SCI     '"),
        ("EXTNAME", "'ERR     '"),
        ("EXTVER", 2),
        ("CTYPE1", "'DEC--TAN'"),
        ("CRVAL2", 91.0),
        ("CD1_1", 0.0),
        ("A_ORDER", 10**6),
        ("EXPTIME", 0.0),
        ("TELESCOP", "'JWST    '"),
        ("TELESCOP", "'HST     '"),
        ("ZIMAGE", "T"),
        ("BLANK", 5),
    ]
]
LINES = [
    b"source: 99",
    b"shape: [1000000000, 1000000000]",
    b"&a [*a]",
    b"*a",
    b"[[[[",
    b"!!python/name:os.system",
    b"datatype: object",
]


@pytest.mark.parametrize("flavour", ["simple", "hst", "jwst", "roman"])
def test_any_file_is_read_or_refused(tmp_path, flavour):
    bench = Bench(tmp_path, flavour)
    whole, path, outcomes = bench.bad.read_bytes(), tmp_path / f"any{bench.bad.suffix}", set()
    header = whole[: bench.place(1)[1] if flavour != "roman" else 12_000]

    @shared
    @given(spoil=mutations(tuple(LINES if flavour == "roman" else CARDS)), headers=st.booleans())
    def check(spoil, headers):
        content = spoil(header) + whole[len(header) :] if headers else spoil(whole)
        outcomes.add(examine(content, path))

    check()
    assert examine(whole, path) == "read" and "refused" in outcomes


@pytest.mark.parametrize("kind", ["csv", "json", "hst"])
def test_any_association_is_read_or_refused(tmp_path, kind):
    bench = Bench(tmp_path, "hst" if kind == "hst" else "jwst")
    if kind == "csv":
        bench.table(
            f"path,member,group,product,flux_scale\n{bench.bad.name},a,g,p,1.5\n{bench.members[1].name},b,g,p,"
        )
    whole, outcomes = bench.asn.read_bytes(), set()

    @shared
    @given(spoil=mutations((b'"', b",", b"\0", b"\x1b[2J", b"\xff", b"../", b"{x}", b"[" * 50)))
    def check(spoil):
        bench.asn.write_bytes(spoil(whole))
        try:
            for table in association.read(bench.asn):
                association.check(table)
            outcomes.add("read")
        except InputError as error:
            one_line(error)
            outcomes.add("refused")

    check()
    assert "refused" in outcomes


def keys():
    """(section, key) of every setting."""
    for name, rule in SCHEMA["properties"].items():
        if "$ref" in rule:
            yield from ((name, key) for key in SCHEMA["$defs"][name]["properties"])
        yield "", name


values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=20)
    | st.binary(max_size=5)
    | st.just(10**400)
    | st.sampled_from(
        ["auto", "nan", "1e999", "~1", "4 3", "${HOME}", "{member}", "a\nb", "\0", "../..", "x" * 5000]
    ),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.text(max_size=5) | st.integers() | st.none(), inner, max_size=3)
    ),
    max_leaves=6,
)


@settings(shared, max_examples=400)
@given(place=st.sampled_from(list(keys())), value=values, override=st.booleans())
def test_any_value_under_every_key(place, value, override):
    section, key = place
    user = {section: {key: value}} if section else {key: value}
    if override:
        user = {"overrides": [{"set": user, "instrument": value}]}
    try:
        resolved = config.resolve(defaults(), user, PRESETS)
    except InputError as error:
        one_line(error)
    else:
        json.dumps(resolved, allow_nan=False)
        config.for_product(resolved, "NIRCAM", "NRC_IMAGE", "F090W")


@given(text=st.text(max_size=300) | st.binary(max_size=100).map(lambda raw: raw.decode("latin-1")))
def test_a_message_is_one_harmless_line(text):
    one = harmless(text)
    assert one.isprintable() and harmless(one) == one
    one.encode("utf-8")
