"""Write the syntax trees of snippets.txt as the Python that runs this reads them, to trees/3.x.txt.

``for v in 3.11 3.12 3.13 3.14; do python$v tests/unit/syntax/dump.py; done`` made the files that are there, and
makes them again after a change of snippets.txt. A line of the result is a snippet's name, a tab and its tree.
"""

import ast
import sys
import warnings
from pathlib import Path

HERE = Path(__file__).resolve().parent


def snippets() -> dict[str, str]:
    """Return the text of each snippet by name."""
    _, *parts = (HERE / "snippets.txt").read_text(encoding="utf-8").split("#== ")
    return {name: text for name, _, text in (part.partition("\n") for part in parts)}


def main():
    everything = {"show_empty": True} if sys.version_info >= (3, 13) else {}
    lines = [f"Python\t{sys.version.split()[0]}"]
    for name, text in snippets().items():
        try:
            tree = ast.dump(ast.parse(text), **everything)
        except SyntaxError:
            tree = "SyntaxError"
        lines.append(f"{name}\t{tree}")
    path = HERE / "trees" / f"{sys.version_info[0]}.{sys.version_info[1]}.txt"
    path.parent.mkdir(exist_ok=True)
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    main()
