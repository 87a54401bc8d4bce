"""Nothing in the code runs what a file or a user says: no shell, no eval, no pickle, no YAML that makes
objects.
"""

import ast
import re
from pathlib import Path

import pytest

REPO = Path(__file__).resolve().parents[2]
MODULES = sorted([*(REPO / "scripts").rglob("*.py"), *(REPO / "benchmarks").glob("*.py")])
TEMPLATES = sorted((REPO / "scripts").rglob("*.j2"))
RULES = [REPO / "Snakefile", *sorted((REPO / "rules").glob("*.smk"))]
NAMES = {"eval", "exec", "compile", "__import__", "execfile"}
PACKAGES = {"pickle", "cPickle", "dill", "cloudpickle", "joblib", "shelve", "marshal", "pty", "code"}
#: calls that start a shell or make objects of a file's text
CALLS = re.compile(
    r"os\.(system|popen|exec\w+|spawn\w+|posix_spawn\w*)|subprocess\.(getoutput|getstatusoutput)|asyncio\.create_subprocess_shell"
    r"|yaml\.(unsafe_load|full_load|load_all|unsafe_load_all|full_load_all)|(pd|pandas)\.read_pickle|runpy\.\w+|(np|numpy)\.(loads|fromregex)"
    r"|jinja2\.Template|Template|\w*\.read_pickle"
)


def findings(text: str, name: str = "") -> list[str]:
    """What in a module's source is forbidden, a line each."""
    found = []

    def say(node, what):
        found.append(f"{name}:{node.lineno}: {what}")

    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import | ast.ImportFrom):
            named = (
                [alias.name for alias in node.names] if isinstance(node, ast.Import) else [node.module or ""]
            )
            for module in named:
                if module.split(".")[0] in PACKAGES:
                    say(node, f"import {module}")
        if not isinstance(node, ast.Call):
            continue
        called, keywords = ast.unparse(node.func), {word.arg: word.value for word in node.keywords}
        if called in NAMES or CALLS.fullmatch(called) or called.split(".")[0] in PACKAGES:
            say(node, called)
        if (
            called.startswith("subprocess.")
            and "shell" in keywords
            and ast.unparse(keywords["shell"]) != "False"
        ):
            say(node, f"{called} with a shell")
        if "allow_pickle" in keywords and ast.unparse(keywords["allow_pickle"]) != "False":
            say(node, f"{called} with pickle")
        if called.split(".")[0] == "yaml" and called.rsplit(".")[-1] in ("load", "compose", "parse"):
            loader = (
                ast.unparse(keywords["Loader"])
                if "Loader" in keywords
                else ast.unparse(node.args[1])
                if len(node.args) > 1
                else ""
            )
            if "Safe" not in loader and loader != "loader":
                say(node, f"{called} without a safe loader")
        if called == "Environment" and ast.unparse(keywords.get("autoescape", ast.Constant(False))) != "True":
            say(node, "a template without escapes")
        if called.endswith(".from_string"):
            say(node, "a template that is not a file of the package")
        if called.endswith("get_template") and not all(isinstance(a, ast.Constant) for a in node.args):
            say(node, "a template whose name is not a constant")
        if called.endswith("import_module") and not ast.unparse(node.args[0]).startswith(
            ("f'drizzleflow.", "'drizzleflow.")
        ):
            say(node, "an import by a name from elsewhere")
    return found


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.name)
def test_nothing_runs_that_should_not(path):
    assert findings(path.read_text(), path.name) == []


def test_the_loader_behind_the_name_is_safe():
    """`loader` in the one module that may call it so."""
    uses = [path.name for path in MODULES if re.search(r"Loader=loader\b", path.read_text())]
    assert uses == ["yaml_safe.py"]
    assert (
        'loader, depth = getattr(yaml, "CSafeLoader", yaml.SafeLoader), 0'
        in (REPO / "scripts/drizzleflow/io/yaml_safe.py").read_text()
    )


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: path.name)
def test_templates_escape_all_they_show_and_take_nothing_in(path):
    """They are files of the package, found beside the module that fills them; what records say is text on the
    page.
    """
    text = path.read_text()
    assert not re.search(
        r"\|\s*safe\b|autoescape|Markup|{%-?\s*(include|import|from|extends)\b|<script", text
    )
    assert not re.search(r"\s(on\w+|srcdoc)\s*=|https?:|url\(", text)
    (module,) = path.parent.glob("contents.py")
    assert "loader=FileSystemLoader(Path(__file__).parent)" in module.read_text()


@pytest.mark.parametrize("path", RULES, ids=lambda path: path.name)
def test_rules_run_scripts_alone(path):
    text = re.sub(r"#.*", "", path.read_text())
    assert not re.search(
        r"^\s*(shell|run|shadow|wrapper|notebook|cwl|template_engine)\s*:", text, re.MULTILINE
    )
    assert not re.search(
        r"\b(shell|eval|exec|compile|__import__)\s*\(|\bos\.(system|popen)|\bsubprocess\b|\bpickle\b|\bimport yaml\b|yaml\.\w*load",
        text,
    )
    for script in re.findall(r"script:\s*(\S+)", text):
        assert re.fullmatch(r'"\.\./scripts/\w+\.py"', script), script


@pytest.mark.parametrize(
    "text",
    [
        "eval(x)",
        "exec(x)",
        "import pickle",
        "from pickle import loads",
        "import os\nos.system(x)",
        "os.popen(x)",
        "subprocess.run(x, shell=True)",
        "subprocess.Popen(x, shell=y)",
        "np.load(x, allow_pickle=True)",
        "yaml.load(x)",
        "yaml.load(x, Loader=yaml.Loader)",
        "yaml.load(x, yaml.UnsafeLoader)",
        "yaml.unsafe_load(x)",
        "Environment()",
        "Environment(autoescape=False)",
        "page.from_string(text)",
        "pages.get_template(name)",
        "importlib.import_module(x)",
        "__import__(x)",
    ],
)
def test_the_search_finds(text):
    assert findings(text)


def test_the_search_leaves_alone():
    assert TEMPLATES
    fine = "subprocess.run([a, b])\nnp.load(x)\nyaml.load(x, Loader=yaml.CSafeLoader)\nre.compile(x)\nimport_module(f'drizzleflow.formats.{n}')"
    assert findings(fine) == []
