"""The nodes of an ASDF file's YAML tree: looked at, changed and written without knowing what their tags mean."""

from __future__ import annotations

NDARRAY = "tag:stsci.edu:asdf/core/ndarray-1."  #: the start of an array's tag
_SHORTHAND = {"!": "tag:stsci.edu:asdf/"}


def nodes(*roots):
    """All nodes below some, each once."""
    waiting, seen = list(reversed(roots)), set()
    while waiting:
        node = waiting.pop()
        if id(node) in seen:
            continue
        seen.add(id(node))
        yield node
        waiting += reversed(children(node))


def children(node) -> list:
    if is_mapping(node):
        return [part for pair in node.value for part in pair]
    return list(node.value) if is_sequence(node) else []


def aliased(root) -> set[int]:
    """The id() of nodes that are in more than one place, themselves or with a node above them."""
    places: dict[int, int] = {}
    for node in nodes(root):
        for child in children(node):
            places[id(child)] = places.get(id(child), 0) + 1
    found: set[int] = set()
    for node in nodes(root):  # a node of one place comes after what holds it
        found |= {id(child) for child in children(node) if places[id(child)] > 1 or id(node) in found}
    return found


def is_mapping(node) -> bool:
    return getattr(node, "id", None) == "mapping"


def is_sequence(node) -> bool:
    return getattr(node, "id", None) == "sequence"


def entry(node, key: str):
    """The node at a key of a mapping; None where there is none, or no mapping."""
    if is_mapping(node):
        for name, value in node.value:
            if name.value == key:
                return value
    return None


def set_entry(node, key: str, value) -> None:
    """Put a node at a key of a mapping: in its old place, or at the end."""
    for place, (name, _) in enumerate(node.value):
        if name.value == key:
            node.value[place] = (name, value)
            return
    node.value.append((scalar(key), value))


def scalar(value):
    """A node of a text, number, truth value or None."""
    import yaml

    return yaml.compose(yaml.safe_dump(value, default_flow_style=True), Loader=yaml.SafeLoader)


def mapping(tag="tag:yaml.org,2002:map", **entries):
    """A block mapping of nodes or plain scalars."""
    import yaml

    pairs = [
        (scalar(key), value if isinstance(value, yaml.Node) else scalar(value))
        for key, value in entries.items()
    ]
    return yaml.MappingNode(tag, pairs, flow_style=False)


def array_entry(source: int, array_type: str, shape, like=None):
    """The node of an array of a whole block; its tag's version is that of the array node `like`."""
    import yaml

    like = array_node(like)
    tag = like.tag if is_mapping(like) else NDARRAY + "0.0"
    lengths = yaml.SequenceNode("tag:yaml.org,2002:seq", [scalar(int(n)) for n in shape], flow_style=True)
    return mapping(tag, source=source, datatype=array_type, byteorder="little", shape=lengths)


def array_node(node):
    """The array behind a node: itself, or the value of a quantity; None where it is no array."""
    for _ in range(2):
        if is_sequence(node) or (is_mapping(node) and node.tag.startswith(NDARRAY)):
            return node
        node = entry(node, "value")
    return None


def plain(node):
    """A node's content in plain types: tags that YAML itself does not have are passed over, times stay text."""
    return _constructor()().construct_document(node)


_tolerant = None


def _constructor():
    global _tolerant
    if _tolerant is None:
        import yaml

        class Tolerant(yaml.constructor.SafeConstructor):
            def any_tag(self, _suffix, node):
                if is_mapping(node):
                    return self.construct_mapping(node, deep=True)
                return (
                    self.construct_sequence(node, deep=True)
                    if is_sequence(node)
                    else self.construct_scalar(node)
                )

        Tolerant.add_multi_constructor("", Tolerant.any_tag)
        Tolerant.add_constructor(
            "tag:yaml.org,2002:timestamp", yaml.constructor.SafeConstructor.construct_yaml_str
        )
        _tolerant = Tolerant
    return _tolerant


def serialized(node) -> str:
    """A tree's text, with directives and end."""
    import yaml

    return yaml.serialize(
        node,
        Dumper=getattr(yaml, "CSafeDumper", yaml.SafeDumper),
        version=(1, 1),
        tags=_SHORTHAND,
        explicit_start=True,
        explicit_end=True,
        allow_unicode=True,
    )


def source_of(node) -> int | None:
    """The block of an array's node."""
    if not (is_mapping(node) and node.tag.startswith(NDARRAY)):
        return None
    source = entry(node, "source")
    return (
        int(source.value)
        if isinstance(getattr(source, "value", None), str) and source.value.isdecimal()
        else None
    )
