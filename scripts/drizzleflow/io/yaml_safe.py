"""YAML from files that nobody vouches for: plain types or bare nodes, and no text that can exhaust the reader.

libyaml takes a tenth of the time of PyYAML's own parser (it is in every usual wheel), but follows nested collections with
the C stack and ends the process where that is used up: the depth is measured first, by the parser's events. Aliases can make
a short text an endless tree for whoever walks over it: what they expand to is counted.
"""

from __future__ import annotations

DEEPEST = 200  #: collections in one another
LARGEST = 5_000_000  #: nodes, aliases expanded


def load(text: str):
    """The document's content in plain Python types; None where it is empty. ValueError: not YAML, or a tag that is not its own."""
    import yaml

    node = compose(text)
    try:
        return None if node is None else yaml.constructor.SafeConstructor().construct_document(node)
    except yaml.YAMLError as error:
        raise ValueError(" ".join(str(error).split())) from None


def compose(text: str):
    """The document as `yaml.Node`, whatever its tags; None where it is empty. ValueError: not YAML, or not one document."""
    import yaml

    loader, depth = getattr(yaml, "CSafeLoader", yaml.SafeLoader), 0
    try:
        for event in yaml.parse(text, Loader=loader):
            if isinstance(event, yaml.CollectionStartEvent):
                depth += 1
                if depth > DEEPEST:
                    raise ValueError(f"more than {DEEPEST} collections in one another")
            elif isinstance(event, yaml.CollectionEndEvent):
                depth -= 1
        node = yaml.compose(text, Loader=loader)
    except yaml.YAMLError as error:
        raise ValueError(" ".join(str(error).split())) from None
    if node is not None and _expanded(node, {}) > LARGEST:
        raise ValueError(f"its aliases make more than {LARGEST} nodes of it")
    return node


def _expanded(node, known) -> int:
    """Nodes at and below one, those that aliases stand for counted each time. ValueError: it contains itself."""
    if isinstance(node.value, str):
        return 1
    size = known.get(id(node))
    if size is None:
        known[id(node)] = 0  # until it is known: it cannot be in itself
        parts = [part for entry in node.value for part in (entry if isinstance(entry, tuple) else (entry,))]
        size = known[id(node)] = 1 + sum(_expanded(part, known) for part in parts)
    elif not size:
        raise ValueError("a collection contains itself")
    return size
