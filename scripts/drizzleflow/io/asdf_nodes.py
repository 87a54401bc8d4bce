"""The YAML nodes of an ASDF file's tree, read, changed and written without knowing what their tags mean."""

from __future__ import annotations

NDARRAY = "tag:stsci.edu:asdf/core/ndarray-1."  #: the tag of an array begins with it
_SHORTHAND = {"!": "tag:stsci.edu:asdf/"}


def nodes(*roots):
    """Yield the nodes `roots` and all nodes below them, each once."""
    waiting, seen = list(reversed(roots)), set()
    while waiting:
        node = waiting.pop()
        if id(node) in seen:
            continue
        seen.add(id(node))
        yield node
        waiting += reversed(children(node))


def children(node) -> list:
    """The nodes directly below one: keys and values of a mapping, elements of a sequence."""
    if is_mapping(node):
        return [part for pair in node.value for part in pair]
    return list(node.value) if is_sequence(node) else []


def aliased(root) -> set[int]:
    """The id() of all nodes that are in more than one place of a tree, alone or as part of a larger node."""
    places: dict[int, int] = {}
    for node in nodes(root):
        for child in children(node):
            places[id(child)] = places.get(id(child), 0) + 1
    shared: set[int] = set()
    for node in nodes(root):  # a node that is in one place comes after the node that holds it
        shared |= {id(child) for child in children(node) if places[id(child)] > 1 or id(node) in shared}
    return shared


def is_mapping(node) -> bool:
    """Whether a node is a mapping; None is not."""
    return getattr(node, "id", None) == "mapping"


def is_sequence(node) -> bool:
    """Whether a node is a sequence; None is not."""
    return getattr(node, "id", None) == "sequence"


def entry(node, key: str):
    """The node at a key of a mapping; None where the key is missing or `node` is no mapping."""
    if is_mapping(node):
        for name, value in node.value:
            if name.value == key:
                return value
    return None


def set_entry(node, key: str, value) -> None:
    """Put a node at a key of a mapping: in the place of the old one, or at the end."""
    for place, (name, _) in enumerate(node.value):
        if name.value == key:
            node.value[place] = (name, value)
            return
    node.value.append((scalar(key), value))


def scalar(value):
    """The node of a text, a number, a truth value or None."""
    import yaml

    return yaml.compose(yaml.safe_dump(value, default_flow_style=True), Loader=yaml.SafeLoader)


def mapping(tag="tag:yaml.org,2002:map", **entries):
    """The node of a mapping; `entries` are nodes or plain scalars."""
    import yaml

    pairs = [
        (scalar(key), value if isinstance(value, yaml.Node) else scalar(value))
        for key, value in entries.items()
    ]
    return yaml.MappingNode(tag, pairs, flow_style=False)


def array_entry(source: int, array_type: str, shape, like=None):
    """The node of an array that fills a block.

    Parameters
    ----------
    source : int
        The number of the block.
    array_type : str
        ASDF's name of the type, such as float32; the numbers are little-endian.
    shape : (ny, nx) or more lengths
    like : yaml.Node, optional
        An array whose tag, and with it the version, is taken.
    """
    import yaml

    like = array_node(like)
    tag = like.tag if is_mapping(like) else NDARRAY + "0.0"
    lengths = yaml.SequenceNode("tag:yaml.org,2002:seq", [scalar(int(n)) for n in shape], flow_style=True)
    return mapping(tag, source=source, datatype=array_type, byteorder="little", shape=lengths)


def array_node(node):
    """The array at a node: the node itself, or the value of a quantity; None where there is no array."""
    for _ in range(2):
        if is_sequence(node) or (is_mapping(node) and node.tag.startswith(NDARRAY)):
            return node
        node = entry(node, "value")
    return None


def plain(node):
    """A node's content in plain Python types; tags that are not YAML's own are ignored, times stay text."""
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
    """The YAML text of a tree, with its directives and end mark."""
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
    """The number of the block that holds an array's data; None where the node is no array or has no block."""
    if not (is_mapping(node) and node.tag.startswith(NDARRAY)):
        return None
    number = getattr(entry(node, "source"), "value", None)
    return int(number) if isinstance(number, str) and number.isdecimal() else None
