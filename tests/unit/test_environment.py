"""What the repository says of itself: pins, rules, imports and documents that must agree."""

import re
import runpy
import subprocess
import sys
import textwrap
import tomllib
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

from drizzleflow.plan import config
from drizzleflow.report import checks

ROOT = Path(__file__).resolve().parents[2]
DOCUMENTS = sorted([ROOT / "README.md", *(ROOT / "docs").glob("*.md"), *ROOT.glob("*/README.md")])


def locked() -> dict[str, str]:
    """package -> version of requirements.lock."""
    lines = (ROOT / "envs/requirements.lock").read_text().splitlines()
    pins = [line.split("==") for line in lines if line and not line.startswith("#")]
    assert all(len(pin) == 2 for pin in pins)
    return {str(canonicalize_name(name)): version for name, version in pins}


def conda() -> dict[str, str]:
    """package -> version of the rules' conda file, python apart."""
    listed = yaml.safe_load((ROOT / "envs/drizzleflow.yaml").read_text())["dependencies"]
    named = (entry.split(" =") for entry in listed if isinstance(entry, str) and " =" in entry)
    # the package of the same code without the plugins of clusters and clouds
    return {str(canonicalize_name(name.removesuffix("-minimal"))): version for name, version in named}


def project() -> dict:
    return tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


def test_conda_pins_are_the_lock_s():
    pins = conda()
    python = pins.pop("python")
    assert python in SpecifierSet(project()["requires-python"])
    assert len(pins) >= 10
    lock = locked()
    assert pins == {name: lock.get(name) for name in pins}


def test_conda_has_every_package_that_the_library_needs():
    needed = {str(canonicalize_name(Requirement(line).name)) for line in project()["dependencies"]}
    assert needed <= set(conda())


def test_ranges_admit_the_pins():
    declared = project()
    lock = locked()
    for line in [*declared["dependencies"], *declared["optional-dependencies"]["dev"]]:
        requirement = Requirement(line)
        version = lock.get(str(canonicalize_name(requirement.name)))
        assert version is not None, f"{requirement.name} is not in the lock"
        assert requirement.specifier.contains(version, prereleases=True), f"{line}: the lock has {version}"


def as_plain(found) -> str:
    """A rule in a loop, which has its names from there, in the form of other rules, one for each name."""
    names = re.findall(r'jobs_of\("\w+", "(\w+)"', found[1])
    text = textwrap.dedent(found[2])
    return "".join(text.replace("rule:", f"rule {name}:", 1) for name in names)


def rules() -> dict[str, str]:
    """rule -> its text, of rules that run something."""
    texts = {}
    for path in [ROOT / "Snakefile", *sorted((ROOT / "rules").glob("*.smk"))]:
        text = re.sub(
            r"(^for jobs in [^#]*?:\n\n)(    rule:\n(?:        .*\n|\n)+)",
            as_plain,
            path.read_text(),
            flags=re.MULTILINE,
        )
        parts = re.split(r"^rule (\w+):\n", text, flags=re.MULTILINE)
        texts |= dict(zip(parts[1::2], parts[2::2], strict=True))
    return {
        name: text
        for name, text in texts.items()
        if re.search(r"^    (script|shell|run):", text, re.MULTILINE)
    }


def test_every_rule_names_the_conda_file():
    assert len(rules()) >= 12
    for name, text in rules().items():
        assert re.search(r'^    conda:\n        "\.\./envs/drizzleflow\.yaml"$', text, re.MULTILINE), name


def test_every_rule_has_log_and_resources_and_a_hash_of_its_code():
    for name, text in rules().items():
        for key in ("log", "resources", "params", *(() if name == "audit" else ("benchmark",))):
            assert re.search(rf"^    {key}:", text, re.MULTILINE), f"{name}: no {key}"
        assert "mem_mb=" in text and "runtime=" in text, name
        script = re.search(r'script:\n        "\.\./scripts/(\w+)\.py"', text)[1]
        assert name == "audit" or f'reads("{script}")' in text or "jobs.params()" in text, name


def test_the_plan_needs_neither_arrays_nor_fits():
    """Every snakemake process makes the plan: association and plan have 0.4 s together."""
    program = (
        "import sys, drizzleflow.plan.association, drizzleflow.plan.config, drizzleflow.plan.codehash, drizzleflow.plan.products;"
        "heavy = {'numpy', 'scipy', 'astropy', 'pandas', 'gwcs', 'asdf', 'drizzle', 'jsonschema'};"
        "print(*sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []


def test_the_manual_has_every_key():
    manual = (ROOT / "config/README.md").read_text()
    sections = dict(
        re.findall(r"^### `?(The run|\w+)`?[^\n]*\n(.*?)(?=^###? |\Z)", manual, re.MULTILINE | re.DOTALL)
    )
    defaults = yaml.safe_load((ROOT / "config/config.yaml").read_text())
    for key, value in defaults.items():
        where, keys = (key, value) if isinstance(value, dict) else ("The run", [key])
        for one in keys:
            assert f"| `{one}` |" in sections.get(where, ""), f"{where}: {one}"


def test_the_tables_of_the_documents_are_those_that_their_script_makes():
    """Where one is not: python docs/manual.py."""
    script = runpy.run_path(str(ROOT / "docs/manual.py"), run_name="manual")
    for path, make in (("config/README.md", "manual"), ("docs/products.md", "products")):
        text = (ROOT / path).read_text(encoding="utf-8")
        assert script[make](text) == text, path
        broken, count = re.subn(r"\| `(scatter|snr)` \|", "| `other` |", text)
        assert count and script[make](broken) == text  # it mends them


def test_every_check_is_in_the_documents_with_its_default():
    text = (
        (ROOT / "docs/products.md").read_text(encoding="utf-8").split("### checks.json")[1].split("\n## ")[0]
    )
    rows = {
        name: row
        for row in text.splitlines()
        for name in re.findall(r"`(\w+)`", row.split("|")[1] if "|" in row else "")
    }
    limits = config.standard()["checks"]
    for check in checks.ABOUT:
        default = limits.get(check)
        assert check in rows, check
        assert default is None or rows[check].split("|")[2].strip() in (
            str(default),
            str(default).removesuffix(".0"),
        ), check


def test_tests_named_in_the_documents_exist():
    named = [
        (document.name, *reference)
        for document in DOCUMENTS
        for reference in re.findall(r"`([\w/]+\.py)::(\w+)`", document.read_text())
    ]
    assert len([name for name, *_ in named if name == "differences.md"]) >= 15
    for document, path, test in named:
        file = ROOT / path if path.startswith("tests/") else ROOT / "tests" / path
        assert file.is_file(), f"{document}: {path}"
        assert re.search(rf"^\s*def {test}\(", file.read_text(), re.MULTILINE), f"{document}: {path}::{test}"


def test_every_difference_names_a_test():
    text = (ROOT / "docs/differences.md").read_text()
    rows = [
        line for line in text.splitlines() if line.startswith("| ") and not line.startswith(("| what", "|--"))
    ]
    assert len(rows) >= 15
    for row in rows:
        assert re.search(r"`[\w/]+\.py::\w+`", row), row


def test_links_in_the_documents_lead_somewhere():
    for document in DOCUMENTS:
        for target in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", document.read_text()):
            if "://" not in target:
                assert (document.parent / target).exists(), f"{document.name}: {target}"


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_configurations_in_the_documents_are_valid(document):
    defaults = config.load(ROOT / "config/config.yaml")
    for block in re.findall(r"^```yaml\n(.*?)^```", document.read_text(), re.MULTILINE | re.DOTALL):
        config.resolve(defaults, yaml.safe_load(block), ROOT / "config/presets")


def test_files_that_the_documents_name_exist():
    """Paths in back quotes that begin with a folder of the repository."""
    for document in DOCUMENTS:
        for path in re.findall(
            r"`((?:scripts|rules|config|profiles|envs|tests|benchmarks|docs)/[\w./-]+)`", document.read_text()
        ):
            assert (ROOT / path).exists(), f"{document.name}: {path}"


def test_every_rule_is_in_the_design():
    text = (ROOT / "docs/design.md").read_text()
    for name in rules():
        assert f"`{name}`" in text, name


def doors() -> tuple[set[str], set[str]]:
    """The packages of the library, and its modules at the top level, by name."""
    library = ROOT / "scripts/drizzleflow"
    return {path.parent.name for path in library.glob("*/__init__.py")}, {
        path.stem for path in library.glob("*.py") if path.stem != "__init__"
    }


def test_every_package_and_facade_is_in_the_design():
    packages, facades = doors()
    assert len(packages) >= 14
    text = (ROOT / "docs/design.md").read_text()
    for name in packages:
        assert f"| `{name}/` |" in text, name
    for name in facades:
        assert f"`{name}`" in text, name


def test_the_pictures_have_every_package_and_rule():
    """Where one is missing: make pictures."""
    packages, facades = doors()
    floors = set(re.findall(r"\w+", (ROOT / "docs/floors.svg").read_text()))
    assert packages | facades <= floors
    assert set(rules()) <= set(re.findall(r"\w+", (ROOT / "docs/rules.svg").read_text()))
