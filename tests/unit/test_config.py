"""The configuration: layers, names, messages, and that code, schema, comments and manual say the same."""

import copy
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from hypothesis import example, given, settings
from hypothesis import strategies as st

from drizzleflow.errors import InputError
from drizzleflow.plan import config, config_schema

ROOT = Path(__file__).parents[2]
PRESETS = ROOT / "config" / "presets"
DEFAULTS = config.load(ROOT / "config" / "config.yaml")
SCHEMA = json.loads((ROOT / "config" / "schemas" / "config.schema.json").read_text())
SECTIONS = list(SCHEMA["$defs"])


def resolve(**user):
    return config.resolve(DEFAULTS, user, PRESETS)


def message(**user):
    with pytest.raises(InputError) as caught:
        resolve(**user)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def follow(rule):
    return SCHEMA["$defs"][rule["$ref"].rsplit("/", 1)[1]] if "$ref" in rule else rule


def leaves():
    for key, rule in SCHEMA["properties"].items():
        if key in SECTIONS:
            for name, leaf in follow(rule)["properties"].items():
                yield key, name, leaf
        elif key != "overrides":
            yield "", key, rule


def test_defaults_resolve_to_themselves():
    resolved = resolve()
    expected = copy.deepcopy(DEFAULTS) | {"outlier_method": ["blot"]}
    assert {key: value for key, value in resolved.items() if key != "layers"} == expected
    assert config.for_product(resolved) == {name: expected[name] for name in SECTIONS}


@pytest.mark.parametrize(
    "user, told",
    [
        ({}, []),
        ({"crmask": {"scale": "1 1", "sharp": 0}}, ["crmask.scale"]),
        ({"crmask": {"driz_cr_scale": "1 1", "reference": "median"}}, []),
        ({"preset": "hst", "crmask": {"scale": "1 1"}, "median": {"clip_slope": 1}}, ["median.clip_slope"]),
        ({"preset": "jwst", "crmask": {"reference": "others", "backg": 1}}, ["crmask.backg"]),
        ({"overrides": [{"instrument": "ACS", "set": {"crmask": {"scale": "1 1"}}}]}, ["crmask.scale"]),
        ({"overrides": [{"instrument": "WFC3", "set": {"crmask": {"scale": "1 1"}}}]}, []),
    ],
)
def test_settings_without_effect_are_told(user, told):
    """A key that counts only with another ``crmask.reference``; what presets set is not the user's."""
    lines = config.without_effect(resolve(**user), "ACS")
    assert [line.split(" has no effect: crmask.reference is ")[0] for line in lines] == told


def test_precedence_defaults_preset_overrides_user():
    entry = {
        "instrument": "NIRCAM",
        "set": {"skymatch": {"skystat": "mean", "nclip": 7}, "grid": {"pad": True}},
    }
    resolved = resolve(preset="jwst", overrides=[entry], skymatch={"nclip": 9})
    product = config.for_product(resolved, "NIRCAM", "NRC_IMAGE", "F090W")
    assert product["skymatch"]["lsigma"] == 4.0  # defaults
    assert product["skymatch"]["overlap"] == "scan"  # preset over defaults
    assert (
        product["skymatch"]["skystat"] == "mean" and product["grid"]["pad"] is True
    )  # overrides over preset
    assert product["skymatch"]["nclip"] == 9  # user over overrides
    other = config.for_product(resolved, "MIRI", "MIR_IMAGE", "F770W")
    assert other["skymatch"]["skystat"] == "mode" and other["grid"]["pad"] is False
    assert resolved["save_intermediate_results"] is False
    assert resolve(preset="jwst", save_intermediate_results=True)["save_intermediate_results"] is True


@pytest.mark.parametrize(
    "entry, instrument, exp_type, filter, hit",
    [
        ({}, "X", "", "", True),
        ({"instrument": "nircam"}, "NIRCAM", "", "", True),
        ({"filter": ["F090W", "F1*"]}, "NIRCAM", "", "F150W", True),
        ({"filter": ["F090W", "F1*"]}, "NIRCAM", "", "F200W", False),
        ({"instrument": "NIRCAM", "filter": "F090W"}, "MIRI", "", "F090W", False),
        ({"exp_type": "NRC_*"}, "NIRCAM", "NRC_IMAGE", "F090W", True),
        ({"exp_type": "*"}, "ACS", "", "", True),
    ],
)
def test_overrides_match(entry, instrument, exp_type, filter, hit):
    resolved = resolve(overrides=[entry | {"set": {"median": {"maskpt": 0.25}}}])
    found = config.for_product(resolved, instrument, exp_type, filter)["median"]["maskpt"]
    assert found == (0.25 if hit else 0.7)


def test_later_overrides_win():
    entries = [{"set": {"crmask": {"backg": value}}} for value in (1, 2)]
    assert config.for_product(resolve(overrides=entries))["crmask"]["backg"] == 2.0


def test_products_do_not_share_their_settings():
    resolved = resolve()
    config.for_product(resolved)["crmask"]["backg"] = 99
    assert config.for_product(resolved)["crmask"]["backg"] == 0.0


def test_preset_is_what_the_peer_does():
    product = config.for_product(resolve(preset="jwst"))
    assert product["single_drizzle"]["good_bits"] == "~DO_NOT_USE"
    assert product["mosaic"]["good_bits"] == product["skymatch"]["dqbits"] == "~DO_NOT_USE+NON_SCIENCE"
    assert [product[step]["pixmap_stepsize"] for step in ("single_drizzle", "mosaic")] == [1.0, 1.0]
    assert (product["crmask"]["snr"], product["crmask"]["scale"], product["median"]["maskpt"]) == (
        "5.0 4.0",
        "1.2 0.7",
        0.7,
    )


@pytest.mark.parametrize("section, key, rule", [leaf for leaf in leaves() if leaf[2].get("aliases")])
def test_aliases(section, key, rule):
    for alias in rule["aliases"]:
        value = DEFAULTS[section][key]
        assert config.for_product(resolve(**{section: {alias: value}})) == config.for_product(resolve())
        text = message(**{section: {alias: value, key: value}})
        assert alias in text and f"{section}.{key}" in text


def test_astrodrizzle_s_grid_under_its_old_name():
    """`grid.footprints: astrodrizzle` is `grid.method: astrodrizzle`: in a file, and in overrides."""
    new, entry = resolve(grid={"method": "astrodrizzle"}), {"instrument": "ACS", "set": {}}
    assert config.for_product(new)["grid"] == DEFAULTS["grid"] | {"method": "astrodrizzle"}
    for old in ("astrodrizzle", "AstroDrizzle"):
        assert resolve(grid={"footprints": old}) == new
        entry["set"] = {"grid": {"footprints": old}}
        options = config.for_product(resolve(overrides=[entry]), "ACS")
        assert options == config.for_product(new)
        assert config.for_product(resolve(overrides=[entry]), "WFC3")["grid"] == DEFAULTS["grid"]
        # it goes before the preset's, as the user's method does
        assert (
            config.for_product(resolve(preset="jwst", grid={"footprints": old}))["grid"]
            == config.for_product(resolve(preset="jwst", grid={"method": "astrodrizzle"}))["grid"]
        )
        text = message(grid={"footprints": old, "method": "tangent_plane"})
        assert "grid.footprints" in text and "grid.method" in text
    assert "wcs, s_region" in message(grid={"footprints": "hull"})
    assert "tangent_plane, astrodrizzle" in message(grid={"method": "hull"})


def test_one_spelling_for_equal_values():
    spellings = [
        {
            "crmask": {"snr": snr},
            "grid": {"pixmap_tolerance": tolerance},
            "mosaic": {"kernel": kernel, "fillval": fill},
        }
        for snr, tolerance, kernel, fill in (
            ("4 3", 1, "Square", "nan"),
            ([4, 3], 1.0, "square", float("nan")),
            ("4.0, 3.0", "1", "SQUARE", "INDEF"),
        )
    ]
    found = [json.dumps(config.for_product(resolve(**spelling))) for spelling in spellings]
    assert len(set(found)) == 1


def test_exponents_without_a_point_are_numbers():
    user = yaml.safe_load("grid: {pixmap_tolerance: 1e-4}")
    assert resolve(**user)["grid"]["pixmap_tolerance"] == 1e-4


@pytest.mark.parametrize(
    "user, words",
    [
        ({"crmsk": {}}, ["crmsk", "did you mean crmask?"]),
        ({"crmask": {"maskpt": 1}}, ["crmask.maskpt", "did you mean median.maskpt?"]),
        ({"skymatch": {"weight": "npix"}}, ["skymatch.weight", "did you mean skymatch.weights?"]),
        ({"crmask": {"zz": 1}}, ["crmask.zz", "expected one of reference, snr"]),
        ({"crmask": 5}, ["crmask is 5"]),
        ({"crmask": {"snr": "5"}}, ["crmask.snr is '5'", "two numbers"]),
        ({"crmask": {"snr": "0 4"}}, ["crmask.snr", "> 0"]),
        ({"crmask": {"scale": "1e999 1"}}, ["crmask.scale", "finite"]),
        ({"median": {"maskpt": 1.5}}, ["median.maskpt is 1.5", ">= 0", "<= 1"]),
        ({"median": {"maskpt": True}}, ["median.maskpt is True", "a number"]),
        ({"skymatch": {"lower": float("nan")}}, ["skymatch.lower is nan"]),
        ({"skymatch": {"lower": 3, "upper": 3}}, ["skymatch.lower", "skymatch.upper"]),
        ({"grid": {"output_shape": [10.5, 20]}}, ["grid.output_shape", "2 integers >= 1"]),
        ({"grid": {"crval": [10, 91]}}, ["grid.crval", "Dec"]),
        ({"mosaic": {"kernel": "tophat"}}, ["mosaic.kernel is 'tophat'", "square, gaussian, point"]),
        ({"mosaic": {"pixmap_stepsize": 0.5}}, ["mosaic.pixmap_stepsize", "auto", ">= 1"]),
        ({"mosaic": {"pixmap_order": 2}}, ["mosaic.pixmap_order is 2", "1, 3"]),
        ({"batch_size": 0}, ["batch_size is 0", ">= 1"]),
        ({"simple": {"outlier_bit": 3}}, ["simple.outlier_bit is 3", "power of two"]),
        ({"preset": "lsst"}, ["preset", "'lsst' is not built yet", "jwst"]),
        ({"preset": "kepler"}, ["preset is 'kepler'", "null, jwst, hst"]),
        ({"mode": "tso"}, ["mode", "not built yet"]),
        ({"outlier_method": ["blot", "comparewarp"]}, ["comparewarp", "not built yet"]),
        ({"comparewarp": {"x": 1}}, ["comparewarp.x", "not built yet"]),
        ({"overrides": 5}, ["overrides is 5", "a list"]),
        ({"overrides": [{}]}, ["overrides[0]", "set"]),
        ({"overrides": [{"set": {"simple": {}}}]}, ["overrides[0].set.simple"]),
        ({"overrides": [{"set": {"median": {"maskpt": 2}}}]}, ["overrides[0].set.median.maskpt is 2"]),
        ({"overrides": [{"set": {"skymatch": {"lower": 3}}}], "skymatch": {"upper": 2}}, ["skymatch.lower"]),
        ({"associations": [1]}, ["associations", "a path or a list of paths"]),
    ],
)
def test_messages(user, words):
    text = message(**user)
    for word in words:
        assert word in text


def test_load_reports_what_is_not_yaml(tmp_path):
    file = tmp_path / "my.yaml"
    for content in ("a: [1", "- a\n- b\n", "just words", "a: \x00"):
        file.write_text(content)
        with pytest.raises(InputError, match=re.escape(str(file))):
            config.load(file)
    with pytest.raises(InputError, match="cannot be read"):
        config.load(tmp_path / "absent.yaml")
    file.write_text("# nothing\n")
    assert config.load(file) == {}


scalars = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=8)
    | st.sampled_from(["auto", "match", "1e-3", "5 4", "none", "true", "~HOT", "4,8", 10**400])
)
values = scalars | st.lists(scalars, max_size=3)
keys = st.sampled_from([leaf[1] for leaf in leaves()]) | st.text(max_size=5)
sections = st.sampled_from([*SCHEMA["properties"], "x"])
anything = st.recursive(
    values, lambda inner: st.lists(inner, max_size=2) | st.dictionaries(keys, inner, max_size=3)
)


@settings(max_examples=150, deadline=None)
@given(user=st.dictionaries(sections, anything | st.dictionaries(keys, values, max_size=4), max_size=4))
@example(user={"overrides": [None]})
def test_any_input_resolves_or_says_why(user):
    try:
        resolved = config.resolve(DEFAULTS, user, PRESETS)
    except InputError as error:
        assert str(error).strip() and "\n" not in str(error)
    else:
        assert json.loads(json.dumps(resolved, allow_nan=False)) == resolved
        # resolving what was resolved changes nothing
        given_back = {key: value for key, value in resolved.items() if key in user}
        again = config.resolve(DEFAULTS, given_back, PRESETS)
        assert all(again[key] == resolved[key] for key in user if key != "overrides")


@settings(max_examples=300, deadline=None)
@given(leaf=st.sampled_from(list(leaves())), value=values)
def test_the_checker_agrees_with_jsonschema(leaf, value):
    """Ours refuses, besides, what JSON cannot hold: NaN and infinity (but for fillval)."""
    import jsonschema

    rule = leaf[2]
    verdict = jsonschema.Draft202012Validator(rule).is_valid(value)
    flat = value if isinstance(value, list) else [value]
    if any(isinstance(one, float) and one - one != 0 for one in flat):
        return
    assert config_schema.fits(value, rule) == verdict


def test_the_checker_knows_every_keyword_of_the_schema():
    ours = {
        "type",
        "enum",
        "minimum",
        "exclusiveMinimum",
        "maximum",
        "pattern",
        "minLength",
        "items",
        "minItems",
    }
    ours |= {"maxItems", "anyOf", "aliases", "synonyms", "moved", "reserved", "allowed"}

    def keywords(rule):
        yield from rule
        for inner in [*rule.get("anyOf", ()), *([rule["items"]] if "items" in rule else [])]:
            yield from keywords(inner)

    for section, key, rule in leaves():
        assert set(keywords(rule)) <= ours, (section, key)


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_layers_only_ever_replace_key_by_key(data):
    """Whatever each layer sets, a key's value is that of the highest layer that has it."""
    pool = {
        ("skymatch", "nclip"): st.integers(0, 9),
        ("crmask", "backg"): st.integers(0, 9).map(float),
        ("median", "maskpt"): st.integers(0, 8).map(lambda n: n / 8),
    }
    layers = []
    for _ in range(2):
        layer = {}
        for (section, key), value in pool.items():
            if data.draw(st.booleans()):
                layer.setdefault(section, {})[key] = data.draw(value)
        layers.append(layer)
    override, user = layers
    product = config.for_product(resolve(overrides=[{"set": override}], **user))
    for section, key in pool:
        expected = DEFAULTS[section][key]
        for layer in layers:
            expected = layer.get(section, {}).get(key, expected)
        assert product[section][key] == expected


def test_schema_is_valid_and_complete():
    import jsonschema

    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    checker = jsonschema.Draft202012Validator(SCHEMA)
    for file in [ROOT / "config" / "config.yaml", *PRESETS.glob("*.yaml")]:
        assert not list(checker.iter_errors(config.load(file))), file
    assert list(DEFAULTS) == list(SCHEMA["properties"])
    for section in SECTIONS:
        assert list(DEFAULTS[section]) == list(SCHEMA["$defs"][section]["properties"])
        assert SCHEMA["$defs"][section]["additionalProperties"] is False
    assert SCHEMA["additionalProperties"] is False


def test_every_key_has_a_comment_that_names_its_aliases():
    section, comment, seen = "", "", set()
    for line in (ROOT / "config" / "config.yaml").read_text().splitlines():
        text = line.strip()
        if text.startswith("# ---") or not text:
            comment = ""
        elif text.startswith("#"):
            comment += text
        else:
            key = text.split(":")[0]
            section = section if line.startswith(" ") else key
            where = (section, key) if line.startswith(" ") else ("", key)
            if DEFAULTS.get(key) != {} or where[0]:
                assert comment or isinstance(DEFAULTS.get(key), dict), where
            if where[0]:
                aliases = SCHEMA["$defs"][section]["properties"][key].get("aliases", [])
                assert all(f"Alias: {alias}." in comment for alias in aliases), where
            seen.add(where)
            comment = ""
    assert seen >= {(section, key) for section in SECTIONS for key in DEFAULTS[section]}


def test_manual_shows_every_key_with_its_default_and_preset():
    manual = (ROOT / "config" / "README.md").read_text()
    presets = [config.load(PRESETS / f"{name}.yaml") for name in ("jwst", "hst")]
    parts = re.split(r"^### ", manual[manual.index("## Every key") :], flags=re.M)
    tables = {re.match(r"`?(\w+)", part)[1]: part for part in parts[1:]}
    for section, key, rule in [*leaves(), ("", "overrides", {})]:
        row = re.search(
            rf"^\| `{key}` \| `(.*?)` \| (.*?) \| (.*?) \|.*\| (.*?) \|$", tables[section or "The"], re.M
        )
        assert row, (section, key)
        assert yaml.safe_load(row[1]) == (DEFAULTS[section] if section else DEFAULTS)[key]
        for preset, cell in zip(presets, row.groups()[1:3], strict=True):
            own = preset.get(section, {}) if section else preset
            assert (yaml.safe_load(cell.strip("`")) if cell else None) == own.get(key), (section, key)
        assert re.findall(r"`(\w+)`", row[4]) == rule.get("aliases", [])


def test_defaults_of_plain_files_are_the_reader_s_own():
    from drizzleflow.formats import simple

    assert simple.DEFAULTS == DEFAULTS["simple"]


def test_nothing_heavy_is_imported():
    code = (
        "import sys; from drizzleflow.plan import config;"
        f"config.resolve(config.load({str(ROOT / 'config/config.yaml')!r}), {{'preset': 'jwst'}}, {str(PRESETS)!r});"
        "print([m for m in ('numpy', 'pandas', 'astropy', 'jsonschema') if m in sys.modules])"
    )
    assert (
        subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
        == "[]\n"
    )
