"""YAML of untrusted files, read as plain types or bare nodes; no text can exhaust the reader.

libyaml, which every usual wheel of PyYAML contains, takes a tenth of the time of PyYAML's own parser. It
recurses on the C stack, though, and a deeply nested text would end the process; the depth is therefore
measured first, from the parser's events. Aliases can make an endless tree of a short text; the nodes that
they expand to are therefore counted.
"""

from __future__ import annotations

DEEPEST = 200  #: most collections inside one another
LARGEST = 5_000_000  #: most nodes, with all aliases expanded


def load(text: str):
    """The content of a YAML document in plain Python types; None where it is empty.

    Raises
    ------
    ValueError
        The text is not YAML, is nested too deeply or too large, or has a tag that is not one of YAML's own.
    """
    import yaml

    node = compose(text)
    try:
        return None if node is None else yaml.constructor.SafeConstructor().construct_document(node)
    except yaml.YAMLError as error:
        raise ValueError(" ".join(str(error).split())) from None


def compose(text: str):
    """A YAML document as a `yaml.Node`, whatever its tags; None where it is empty.

    Raises
    ------
    ValueError
        The text is not YAML, is not one document, or is nested too deeply or too large.
    """
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
    """The number of nodes in a tree, with aliases expanded. ValueError: a collection contains itself."""
    if isinstance(node.value, str):
        return 1
    size = known.get(id(node))
    if size is None:
        known[id(node)] = 0  # 0 until it is counted: who meets it again is inside it
        parts = [part for entry in node.value for part in (entry if isinstance(entry, tuple) else (entry,))]
        size = known[id(node)] = 1 + sum(_expanded(part, known) for part in parts)
    elif not size:
        raise ValueError("a collection contains itself")
    return size
