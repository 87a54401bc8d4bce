"""YAML from files that nobody vouches for: plain types or bare nodes, and no text that can exhaust the reader.

libyaml's loader takes a tenth of the time of PyYAML's own (it is in every usual wheel), but follows nested collections with
the C stack and ends the process where that is used up: the depth is measured first, by the parser's events.
"""

from __future__ import annotations

DEEPEST = 200  #: collections in one another


def load(text: str):
    """The document's content in plain Python types; a tag that is not YAML's own is refused. ValueError: not YAML."""
    return _read(text, "load")


def compose(text: str):
    """The document as `yaml.Node`, whatever its tags; None where it is empty. ValueError: not YAML, or not one document."""
    return _read(text, "compose")


def _read(text, how):
    import yaml

    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        depth = 0
        for event in yaml.parse(text, Loader=loader):
            if isinstance(event, yaml.CollectionStartEvent):
                depth += 1
                if depth > DEEPEST:
                    raise ValueError(f"more than {DEEPEST} collections in one another")
            elif isinstance(event, yaml.CollectionEndEvent):
                depth -= 1
        return getattr(yaml, how)(text, Loader=loader)
    except yaml.YAMLError as error:
        raise ValueError(" ".join(str(error).split())) from None
    except RecursionError:
        raise ValueError("it refers to itself") from None
