"""The code hash under every Python: trees that Python 3.11 to 3.14 made of the same snippets have one normal form.

tests/unit/syntax/dump.py wrote the trees that are compared.
"""

import ast
import re
import tomllib
import warnings
from pathlib import Path

import pytest
from syntax.dump import HERE, snippets

from drizzleflow.plan.codehash import normal_form

ROOT = Path(__file__).parents[2]
SNIPPETS = snippets()
#: version, as 3.12 -> snippet -> tree as that version's `ast.dump` wrote it, or SyntaxError
STORED = {
    path.stem: dict(line.split("\t") for line in path.read_text(encoding="utf-8").split("\n")[:-1])
    for path in sorted((HERE / "trees").glob("*.txt"))
}


def rebuilt(written):
    """Return the tree that a dump, parsed as an expression, tells of: nodes with just the fields that it has."""
    if isinstance(written, ast.Call):
        fields = {field.arg: rebuilt(field.value) for field in written.keywords}
        return type(written.func.id, (ast.AST,), {"_fields": tuple(fields)})(**fields)
    if isinstance(written, ast.List):
        return [rebuilt(one) for one in written.elts]
    if isinstance(written, ast.Name):
        return {"Ellipsis": ..., "inf": float("inf"), "infj": complex(0, float("inf"))}[written.id]
    return ast.literal_eval(written)


def forms(name) -> dict[str, str]:
    """Return the normal form of a snippet by the version that made its tree, the running one's too."""
    found = {
        version: normal_form(rebuilt(ast.parse(trees[name], mode="eval").body))
        for version, trees in STORED.items()
        if trees[name] != "SyntaxError"
    }
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            found["running"] = normal_form(ast.parse(SNIPPETS[name]))
        except SyntaxError:
            pass
    return found


def test_the_versions_are_those_that_the_project_promises():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    promised = re.findall(r"Python :: (3\.\d+)", "\n".join(project["classifiers"]))
    assert sorted(STORED) == promised and project["requires-python"] == f">={promised[0]}"
    for version, trees in STORED.items():
        assert trees["Python"].startswith(version) and list(trees) == ["Python", *SNIPPETS]


@pytest.mark.parametrize("name", SNIPPETS)
def test_trees_of_every_version_have_one_form(name):
    found = forms(name)
    since = re.search(r"\((3\.\d+)\)", name)
    assert set(found) - {"running"} == {v for v in STORED if not since or v >= since[1]}
    assert len(set(found.values())) == 1, found
    # the forms are all written by the running Python: that another writes the same takes ASCII
    assert found["3.14"].isascii()


def test_the_trees_differ_in_what_the_form_leaves_out():
    """Were they the same, the test above would show nothing."""
    for name in SNIPPETS:
        made = [trees[name] for trees in STORED.values() if trees[name] != "SyntaxError"]
        if name in ("docstrings", "functions", "classes", "f-strings", "constants"):
            assert len(set(made)) > 1, name
    assert "type_params=[]" in STORED["3.12"]["functions"]
    assert "type_params" not in STORED["3.11"]["functions"]
    nested = "FormattedValue(value=Name(id='w', ctx=Load()), conversion=-1)"
    assert f"JoinedStr(values=[{nested}, Constant(value='')])" in STORED["3.12"]["f-strings"]
    assert f"JoinedStr(values=[{nested}])" in STORED["3.13"]["f-strings"]
    assert "Constant(value='1'), Constant(value='0')" in STORED["3.12"]["f-strings"]
    assert "format_spec=Constant(value='10')" in STORED["3.14"]["f-strings"]
    assert r"'\U00014000'" in STORED["3.11"]["constants"] and "'\U00014000'" in STORED["3.14"]["constants"]


@pytest.mark.parametrize(
    "pair",
    [
        "f'{x:{w}}' | f'{x:{w} }'",
        "f'{x:}' | f'{x}'",
        "f'{x}' | f'{x!s}'",
        "f'a' | 'a'",
        "f'{x}a' | f'a{x}'",
        "x = 'é' | x = 'e'",
        "x = 0 | x = None",
        "x = '' | x = 0",
        "x = 0 | x = -0",
        "0.0 | -0.0",
        "x: int | (x): int",
        "from . import a | from .. import a",
        "[i for i in x] | [i for i in x if 0]",
        "return 'a' | return",
    ],
)
def test_a_form_leaves_no_difference_out(pair):
    one, other = (normal_form(ast.parse(text)) for text in pair.split(" | "))
    assert one != other
