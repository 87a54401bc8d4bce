"""The code hash: a formula counts, a comment does not, and every module that a script reaches is in it."""

import ast
import os
import re
import shutil
import tomllib
from importlib import import_module
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drizzleflow.errors import InputError
from drizzleflow.plan import codehash
from drizzleflow.plan.codehash import DATA, closure, code_hash

SCRIPTS = Path(__file__).parents[2] / "scripts"
PARSED: dict = {}  #: the real library, parsed once

FILES = {
    "step.py": '"""A step."""\nfrom drizzleflow import alpha\nimport numpy as np\n\ndef main():\n    from drizzleflow.sub.deep import f\n    return f(alpha.A)\n',
    "drizzleflow/__init__.py": '"""The package."""\n',
    "drizzleflow/alpha.py": "from . import beta\nA = beta.B + 1\n",
    "drizzleflow/beta.py": "B = 2\n",
    "drizzleflow/sub/__init__.py": "import drizzleflow.gamma\n",
    "drizzleflow/sub/deep.py": 'from ..delta import D\nfrom .near import N\n\ndef f(x):\n    """Doc."""\n    return x + D + N\n',
    "drizzleflow/sub/near.py": "N = 4\n",
    "drizzleflow/gamma.py": "G = 5\n",
    "drizzleflow/delta.py": "D = 3\n",
    "drizzleflow/unrelated.py": "U = 1\n",
    "drizzleflow/plugins/__init__.py": "",
    "drizzleflow/plugins/one.py": "P = 1\n",
}
REACHED = ["alpha", "beta", "delta", "gamma", "sub", "sub.deep", "sub.near"]


@pytest.fixture
def tree(tmp_path):
    return make(tmp_path / "scripts")


def make(root):
    for name, text in FILES.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    return root


def hash_of(root, cache=None):
    return code_hash(root / "step.py", root, cache)


def test_closure_follows_every_static_import(tree):
    expected = ["drizzleflow", *(f"drizzleflow.{name}" for name in REACHED)]
    assert closure(tree / "step.py", tree) == closure(tree / "step.py", tree / "drizzleflow") == expected


@pytest.mark.parametrize("name", ["step", *(f"drizzleflow.{name}" for name in REACHED)])
def test_a_change_of_a_reached_module_counts(tree, name):
    path = tree / (name.replace(".", "/") + ".py")
    path = path if path.exists() else tree / name.replace(".", "/") / "__init__.py"
    before = hash_of(tree)
    path.write_text(path.read_text() + "X = 1\n")
    assert hash_of(tree) != before


def test_what_is_not_reached_does_not_count(tree):
    before = hash_of(tree)
    (tree / "drizzleflow/unrelated.py").write_text("U = 2\n")
    (tree / "drizzleflow/plugins/one.py").write_text("P = 2\n")
    (tree / "other.py").write_text("import drizzleflow.unrelated\n")
    assert hash_of(tree) == before


def test_comments_docstrings_format_and_touch_do_not_count(tree):
    before = hash_of(tree)
    deep = tree / "drizzleflow/sub/deep.py"
    deep.write_text(
        '"""New."""\nfrom ..delta import D  # why\nfrom .near import N\ndef f( x ):\n    """Other."""\n\n    return (x + D\n + N)\n'
    )
    (tree / "drizzleflow/__init__.py").write_text("")
    os.utime(tree / "step.py", (1, 1))
    assert hash_of(tree) == before
    deep.write_text(deep.read_text().replace("+ N", "- N"))
    assert hash_of(tree) != before


def test_the_folder_does_not_count(tree, tmp_path):
    moved = tmp_path / "elsewhere" / "scripts"
    shutil.copytree(tree, moved)
    assert hash_of(moved) == hash_of(tree)


def test_import_module_of_a_literal_or_a_package(tree):
    step = tree / "step.py"
    step.write_text('from importlib import import_module\nimport_module("drizzleflow.plugins.one")\n')
    assert closure(step, tree) == ["drizzleflow", "drizzleflow.plugins", "drizzleflow.plugins.one"]
    step.write_text(
        'import importlib\ndef get(name):\n    return importlib.import_module(f"drizzleflow.plugins.{name}")\n'
    )
    before = hash_of(tree)
    (tree / "drizzleflow/plugins/two.py").write_text("Q = 1\n")
    assert closure(step, tree)[-1] == "drizzleflow.plugins.two" and hash_of(tree) != before


def test_what_a_module_finds_for_people_is_not_followed(tree):
    """Names that its ``__getattr__`` looks up elsewhere, its command line; but they are part of the module's
    text.
    """
    (tree / "drizzleflow/alpha.py").write_text(
        "from importlib import import_module\nA = 1\n"
        "def __getattr__(name):\n    return getattr(import_module('drizzleflow.unrelated'), name)\n"
        "if __name__ == '__main__':\n    from drizzleflow import unrelated\n"
    )
    before = hash_of(tree)
    assert "drizzleflow.unrelated" not in closure(tree / "step.py", tree)
    (tree / "drizzleflow/alpha.py").write_text(
        (tree / "drizzleflow/alpha.py").read_text() + "    unrelated.U\n"
    )
    assert hash_of(tree) != before
    (tree / "step.py").write_text(
        "if __name__ == '__main__':\n    from drizzleflow import unrelated\n"
    )  # as scripts are run
    assert "drizzleflow.unrelated" in closure(tree / "step.py", tree)


@pytest.mark.parametrize(
    "pair",
    [
        "x = None | x = ''",
        "f() | f(*[])",
        "{**a} | {None: a}",
        "def f(*, a): 0 | def f(*, a=None): 0",
        "x: int | x: int = None",
        "(a) | (a,)",
        "lambda: 0 | lambda *a: 0",
        "1 | 1.0",
        "b'' | ''",
    ],
)
def test_little_differences_count(tree, pair):
    found = []
    for text in pair.split(" | "):
        (tree / "step.py").write_text(text + "\n")
        found.append(hash_of(tree))
    assert found[0] != found[1]


def test_a_new_module_in_place_of_a_name_is_found(tree):
    """`from drizzleflow import alpha` reaches a module only where there is one."""
    (tree / "step.py").write_text("from drizzleflow import late\n")
    cache = {}
    before = hash_of(tree, cache)
    (tree / "drizzleflow/late.py").write_text("L = 1\n")
    assert hash_of(tree, cache) != before


def test_the_cache_changes_nothing(tree):
    cache = {}
    before = hash_of(tree, cache)
    assert hash_of(tree, cache) == before == hash_of(tree)
    assert set(cache) == {str(tree / "step.py")} | {
        str(tree / name)
        for name in FILES
        if name.startswith("drizzleflow/") and not re.search("unrelated|plugins", name)
    }
    (tree / "drizzleflow/beta.py").write_text("B = 77\n")
    assert hash_of(tree, cache) != before
    assert hash_of(tree, cache) == hash_of(tree)


def test_an_edit_of_the_same_size_is_seen(tree):
    cache = {}
    before = hash_of(tree, cache)
    (tree / "drizzleflow/beta.py").write_text("B = 9\n")
    os.utime(tree / "drizzleflow/beta.py", ns=(1, 1))
    assert hash_of(tree, cache) != before


def test_cached_files_are_not_parsed_again(tree, monkeypatch):
    cache = {}
    before = hash_of(tree, cache)
    monkeypatch.setattr(ast, "parse", None)
    assert hash_of(tree, cache) == before


def test_what_cannot_be_read(tree):
    with pytest.raises(InputError, match=r"absent\.py"):
        code_hash(tree / "absent.py", tree)
    (tree / "drizzleflow/beta.py").write_text("B = = 2\n")
    with pytest.raises(InputError, match=r"beta\.py: not valid Python"):
        hash_of(tree)


@settings(max_examples=40, deadline=None)
@given(edits=st.lists(st.tuples(st.sampled_from(sorted(FILES)), st.integers(0, 3)), max_size=5))
def test_equal_code_equal_hash(edits, tmp_path_factory):
    """The hash depends on the final text alone, with or without a cache that saw the way there."""
    tree, cache, text = make(tmp_path_factory.mktemp("tree")), {}, dict(FILES)
    for name, number in edits:
        text[name] = FILES[name] + "Z = 0\n" * number
        (tree / name).write_text(text[name])
        hash_of(tree, cache)
    fresh = make(tmp_path_factory.mktemp("fresh"))
    for name, content in text.items():
        (fresh / name).write_text(content)
    assert hash_of(tree, cache) == hash_of(fresh)
    counted = {
        name for name in FILES if text[name] != FILES[name] and not re.search("unrelated|plugins", name)
    }
    assert (hash_of(fresh) != hash_of(make(tmp_path_factory.mktemp("plain")))) == bool(counted)


def test_every_script_reaches_the_modules_that_it_really_imports():
    """A module that a script's imports load, our closure has: nothing is imported behind its back."""
    for script in sorted(SCRIPTS.glob("*.py")):
        reached = closure(script, SCRIPTS, PARSED)
        text = script.read_text()
        for name in re.findall(r"(?:from|import) (drizzleflow[\w.]*)", text):
            assert name in reached, (script.name, name)


def test_a_change_of_any_module_counts_for_the_rules_that_reach_it_and_no_other(tmp_path):
    """Of the real library: every module is changed in its turn."""
    copy = shutil.copytree(SCRIPTS, tmp_path / "scripts", ignore=shutil.ignore_patterns("__pycache__"))
    cache: dict = {}
    scripts = sorted(copy.glob("*.py"))
    reached = {script: set(closure(script, copy, cache)) for script in scripts}
    before = {script: code_hash(script, copy, cache) for script in scripts}
    modules = sorted((copy / "drizzleflow").rglob("*.py"))
    for path in modules:
        name = ".".join(path.relative_to(copy).with_suffix("").parts).removesuffix(".__init__")
        text = path.read_text()
        path.write_text(text + "CHANGED = 1\n")
        changed = {script for script in scripts if code_hash(script, copy, cache) != before[script]}
        assert changed == {script for script in scripts if name in reached[script]}, name
        path.write_text(text)
    assert len(modules) > 70 and len(scripts) > 15


def test_the_library_is_code_and_data_files_that_the_hash_counts():
    """A file of another kind that shaped a product would have to be hashed too, and be shipped."""
    others = [
        path.relative_to(SCRIPTS / "drizzleflow")
        for path in (SCRIPTS / "drizzleflow").rglob("*")
        if path.is_file() and path.suffix not in (".py", ".pyc")
    ]
    project = tomllib.loads((SCRIPTS.parent / "pyproject.toml").read_text())
    shipped = project["tool"]["setuptools"]["package-data"]["drizzleflow"]
    assert others and all(path.name.endswith(DATA) for path in others)
    assert all(any(path.match(pattern) for pattern in shipped) for path in others)


def test_a_data_file_counts_for_the_scripts_that_reach_its_package(tree):
    """Every byte of it, whether it is changed, comes or goes; it is no module."""
    cache: dict = {}
    hashes = {hash_of(tree, cache)}
    for path, content in (
        ("sub/a.j2", "{{ x }}"),
        ("sub/a.j2", "{{ y }}"),
        ("b.html.j2", ""),
        ("sub/b.j2", ""),
    ):
        (tree / "drizzleflow" / path).write_text(content)
        hashes.add(hash_of(tree, cache))
    assert len(hashes) == 5 and hash_of(tree, cache) == hash_of(tree)
    assert closure(tree / "step.py", tree) == ["drizzleflow", *(f"drizzleflow.{name}" for name in REACHED)]
    before = hash_of(tree)
    (tree / "drizzleflow/plugins/c.j2").write_text("of a package that is not reached")
    (tree / "drizzleflow/sub/notes.txt").write_text("no data file")
    assert hash_of(tree) == before
    (tree / "drizzleflow/sub/a.j2").unlink()
    assert hash_of(tree, cache) == hash_of(tree) != before


def test_the_report_counts_its_page():
    reached = codehash._walk(str(SCRIPTS / "report.py"), str(SCRIPTS / "drizzleflow"), PARSED)
    assert str(SCRIPTS / "drizzleflow/report/page.html.j2") in reached


def test_rules_ask_for_no_name_that_a_module_looks_up_elsewhere():
    """The hash does not follow a module's ``__getattr__``: what is reached asks such modules for their own
    names alone.
    """
    reached = {name for script in SCRIPTS.glob("*.py") for name in closure(script, SCRIPTS, PARSED)}
    paths = [SCRIPTS.joinpath(*name.split(".")) for name in reached]
    files = [
        *SCRIPTS.glob("*.py"),
        *(path / "__init__.py" if path.is_dir() else path.with_suffix(".py") for path in paths),
    ]
    asked = set()
    for path in files:
        aliases = {}
        nodes = list(ast.walk(ast.parse(path.read_text())))
        for node in nodes:
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("drizzleflow"):
                asked |= {(node.module, alias.name, path.name) for alias in node.names}
                aliases |= {alias.asname or alias.name: f"{node.module}.{alias.name}" for alias in node.names}
        for node in nodes:
            if (
                isinstance(node, ast.Attribute)
                and isinstance(node.value, ast.Name)
                and node.value.id in aliases
            ):
                asked.add((aliases[node.value.id], node.attr, path.name))
    facades = {name for name in reached if hasattr(import_module(name), "__getattr__")}
    assert {"drizzleflow.combine", "drizzleflow.sky"} <= facades
    looked_up = {
        (module, name, by)
        for module, name, by in asked
        if module in facades and name not in vars(import_module(module))
    }
    assert looked_up == set() and len([1 for module, _, _ in asked if module in facades]) > 5


def test_what_rules_reach_is_imported_statically():
    """What the hash cannot see must not be there: names put together from nothing known, and ``__import__``."""
    reached = {name for script in SCRIPTS.glob("*.py") for name in closure(script, SCRIPTS, PARSED)}
    for path in SCRIPTS.rglob("*.py"):
        name = ".".join(path.relative_to(SCRIPTS).with_suffix("").parts).removesuffix(".__init__")
        if name.startswith("drizzleflow") and name not in reached:
            continue
        for node in ast.walk(ast.parse(path.read_text())):
            called = getattr(
                getattr(node, "func", None), "attr", getattr(getattr(node, "func", None), "id", "")
            )
            assert called != "__import__", path
            if called == "import_module":
                first = node.args[0]
                start = first.values[0] if isinstance(first, ast.JoinedStr) else first
                assert isinstance(start, ast.Constant) and start.value.startswith("drizzleflow."), path
