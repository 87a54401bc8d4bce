"""Hash the code that a rule runs: its script, the drizzleflow modules that it imports, and data files.

Snakemake re-runs a job when its script changes but never looks inside the modules that the script imports,
and takes a touched file for a changed one. The hash is of syntax trees without docstrings, so comments,
formatting and docstrings do not count, and a formula does. Only static imports are followed: absolute,
relative, inside functions, and ``import_module`` of a literal;
``import_module(f"drizzleflow.formats.{name}")`` reaches every module of that package. A package that is
reached brings its data files (`DATA`, such as the template of the report), whose bytes all count. Two places
in a module are not followed: its ``__getattr__``, which finds names of another module for people who ask for
them, and its command line. Rules use neither, and tests compare with what real jobs load. The hash is the
same under Python 3.11 to 3.14 (`normal_form`).
"""

from __future__ import annotations

import ast
import hashlib
import os
from itertools import groupby

from drizzleflow.errors import InputError

PACKAGE = "drizzleflow"
DOCUMENTED = (
    "Module",
    "FunctionDef",
    "AsyncFunctionDef",
    "ClassDef",
)  #: syntax nodes that may begin with a docstring
DATA = (
    ".j2",
)  #: ends of names of the files that packages ship beside their modules (pyproject.toml, package-data)


def code_hash(script_path, package_root, cache: dict | None = None) -> str:
    """Return the SHA-256 (hex) of the syntax of a script and the package modules that it imports.

    Parameters
    ----------
    script_path : path
        A Python file, in the package or not.
    package_root : path
        The folder that the package is in (``scripts``), or the package's own.
    cache : dict, optional
        Filled and used: absolute path -> [size, mtime_ns, hash, imports].

    Raises
    ------
    InputError
        A file cannot be read or parsed.
    """
    root, script = _package(package_root), os.path.abspath(script_path)
    found = _walk(script, root, {} if cache is None else cache)
    # names, not paths: the same code in another folder has the same hash
    named = {_name(path, root) if path != script else "": digest for path, digest in found.items()}
    return hashlib.sha256("\n".join(f"{name} {named[name]}" for name in sorted(named)).encode()).hexdigest()


def closure(script_path, package_root, cache: dict | None = None) -> list[str]:
    """Return the dotted names of the package's modules that a script imports, sorted."""
    root = _package(package_root)
    found = _walk(os.path.abspath(script_path), root, {} if cache is None else cache)
    return sorted(
        _name(path, root) for path in found if path.startswith(root + os.sep) and not path.endswith(DATA)
    )


def _walk(script, root, cache) -> dict[str, str]:
    """Return the hash of a script and of each file that it imports, by path."""
    found, waiting = {}, [script]
    while waiting:
        path = waiting.pop()
        if path not in found:
            found[path], imports = _module(path, root, cache)
            waiting += [file for name in imports for file in _files(name, root)]
            folder, name = os.path.split(path)
            if name == "__init__.py":
                waiting += [os.path.join(folder, file) for file in os.listdir(folder) if file.endswith(DATA)]
    return found


def _package(folder) -> str:
    folder = os.path.abspath(folder)
    return folder if os.path.basename(folder) == PACKAGE else os.path.join(folder, PACKAGE)


def _name(path, root) -> str:
    relative = os.path.relpath(path, os.path.dirname(root)).removesuffix(".py")
    return relative.replace(os.sep, ".").removesuffix(".__init__")


def _files(name, root) -> list[str]:
    """Return the files that importing a dotted name runs: the packages on the way and the module."""
    if name.endswith("*"):  # the known start of a name that is put together at run time
        package, start = os.path.join(root, *name.split(".")[1:-1]), name.split(".")[-1][:-1]
        inside = sorted(os.listdir(package)) if os.path.isdir(package) else []
        return [
            os.path.join(package, file) for file in inside if file.startswith(start) and file.endswith(".py")
        ]
    parts = name.split(".")[1:]
    files, folder = [os.path.join(root, "__init__.py")], root
    for part in parts:
        module, folder = os.path.join(folder, part + ".py"), os.path.join(folder, part)
        if os.path.isfile(module):
            files.append(module)
            break
        if not os.path.isdir(folder):
            break  # a name inside the module
        files.append(os.path.join(folder, "__init__.py"))
    return [file for file in files if os.path.isfile(file)]


def _module(path, root, cache) -> tuple[str, list[str]]:
    try:
        status = os.stat(path)
        entry = cache.get(path)
        if entry and entry[0] == status.st_size and entry[1] == status.st_mtime_ns:
            return entry[2], entry[3]
        with open(path, "rb") as source:
            content = source.read()
        if path.endswith(DATA):
            cache[path] = [status.st_size, status.st_mtime_ns, hashlib.sha256(content).hexdigest(), []]
            return cache[path][2], []
        tree = ast.parse(content)
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror})") from None
    except (SyntaxError, ValueError) as error:
        raise InputError(f"{path}: not valid Python ({error})") from None
    package = ""
    if path.startswith(root + os.sep):
        package = _name(path, root)
        if os.path.basename(path) != "__init__.py":
            package = package.rpartition(".")[0]
    imports = sorted(_imports(tree, package))
    digest = hashlib.sha256(normal_form(tree).encode()).hexdigest()
    cache[path] = [status.st_size, status.st_mtime_ns, digest, imports]
    return digest, imports


def normal_form(node) -> str:
    """Write a syntax tree, or what a field of it holds, as ASCII text that is the same under every Python.

    It has each node's type, its fields that are not empty, by name, and constants as `ascii` writes them.
    Docstrings are left out, and what Python 3.11 to 3.14 do differently with the same code: fields that only
    newer ones have are empty in it; texts in f-strings come in one piece or in several, some empty (3.12), and
    a format may be a text of its own (3.13); `repr` escapes more characters or fewer.

    What a version reads otherwise, and so does otherwise, has another form: ``f"{a!=b=}"`` of 3.12.1 and
    3.13.0 shows but the ``a``.
    """
    if isinstance(node, list):
        return f"[{', '.join(map(normal_form, node))}]"
    if not isinstance(node, ast.AST):
        return ascii(node)
    kind, fields = type(node).__name__, {}
    for name, value in sorted(ast.iter_fields(node)):
        if name == "body" and kind in DOCUMENTED and value and _is_docstring(value[0]):
            value = value[1:]
        if kind == "JoinedStr":
            value = _joined(value)
        if name == "format_spec" and _is_text(value):
            value = ast.JoinedStr([value])
        if name != "kind" and value not in (None, []):
            fields[name] = value
    return f"{kind}({', '.join(f'{name}={normal_form(value)}' for name, value in fields.items())})"


def _is_docstring(statement) -> bool:
    return type(statement).__name__ == "Expr" and _is_text(statement.value)


def _joined(parts) -> list:
    """Return the parts of an f-string with neighbouring texts as one, and no empty one."""
    out = []
    for is_text, run in groupby(parts, _is_text):
        run = list(run)
        text = "".join(part.value for part in run) if is_text else None
        out += run if text is None else [ast.Constant(text)] * bool(text)
    return out


def _is_text(node) -> bool:
    return type(node).__name__ == "Constant" and isinstance(node.value, str)


def _followed(statement) -> bool:
    """Return whether imports in a module's statement are followed.

    Those in the module's own ``__getattr__`` and in its command line are not.
    """
    if isinstance(statement, ast.If) and ast.unparse(statement.test) == "__name__ == '__main__'":
        return False
    return not (isinstance(statement, ast.FunctionDef) and statement.name == "__getattr__")


def _imports(tree, package) -> set[str]:
    """Return the dotted names that a module imports from our package; ``from a import b`` gives ``a.b``."""
    names = set()
    # a script has no package: it is the command line
    for node in (n for part in tree.body if not package or _followed(part) for n in ast.walk(part)):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                parts = package.split(".")
                up = parts[: len(parts) - node.level + 1]
                base = ".".join([*up, *([base] if base else [])])
            names.update(f"{base}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Call) and node.args:
            called = getattr(node.func, "attr", getattr(node.func, "id", ""))
            first = node.args[0]
            start = first.values[0] if isinstance(first, ast.JoinedStr) and first.values else first
            if called == "import_module" and isinstance(start, ast.Constant) and isinstance(start.value, str):
                names.add(start.value if start is first else start.value + "*")
    return {name for name in names if name.split(".")[0] == PACKAGE}
