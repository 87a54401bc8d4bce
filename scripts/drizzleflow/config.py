"""``python -m drizzleflow.config [FILE.yaml]``: the settings of a run, checked, as YAML.

That is defaults < preset < your file. They hold for products that no entry of ``overrides`` matches. The work
is done in `drizzleflow.plan.config`.
"""

import argparse
import sys

from drizzleflow.errors import InputError
from drizzleflow.plan.config import load, standard

__all__ = ["load", "main", "standard"]


def main(arguments=None) -> int:
    """The command line: prints the settings; 1 and one line on stderr where a key or a value is wrong."""
    import yaml

    parser = argparse.ArgumentParser(prog="python -m drizzleflow.config", description=__doc__.split("\n")[0])
    parser.add_argument("file", nargs="?", metavar="FILE.yaml", help="what differs from the defaults")
    chosen = parser.parse_args(arguments)
    try:
        settings = standard(load(chosen.file) if chosen.file else {})
    except InputError as error:
        print(error, file=sys.stderr)
        return 1
    del settings["layers"]
    layers = ["defaults", *([f"preset {settings['preset']}"] if settings["preset"] else [])]
    print("# " + " < ".join([*layers, *([ascii(chosen.file)] if chosen.file else [])]), end="")
    print("; overrides hold for the products that they match" if settings["overrides"] else "")
    print(yaml.safe_dump(settings, sort_keys=False, default_flow_style=None, allow_unicode=True), end="")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
