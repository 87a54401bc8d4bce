"""ASDF files written with the same bytes each time, and checked before the asdf package opens them."""

from __future__ import annotations

import io
import re

from drizzleflow.errors import InputError

#: the list of extensions in the text of a tree
_EXTENSIONS = re.compile(rb"^history:\n  extensions:\n((?:  .*\n)+)", re.MULTILINE)


def asdf_bytes(tree: dict) -> bytes:
    """The bytes of an ASDF file of `tree`, which are the same in every process.

    asdf lists the extensions that it used (``history.extensions``) in the order of a set, which changes from
    process to process. They are sorted here in the text that it wrote: the length stays, and so does what
    follows.
    """
    import asdf

    out = io.BytesIO()
    asdf.AsdfFile(dict(tree)).write_to(out)
    content = out.getvalue()
    listed = _EXTENSIONS.search(content)
    if listed is None:
        return content
    entries = sorted(re.split(rb"^(?=  - )", listed[1], flags=re.MULTILINE), key=_extension)
    return content[: listed.start(1)] + b"".join(entries) + content[listed.end(1) :]


def _extension(entry: bytes) -> tuple[bytes, ...]:
    """The URI and the class that an entry in the list of extensions names; empty where it has none."""
    found = (
        re.search(rb"^ +(?:- .*)?extension_%s: (\S+)" % key, entry, re.MULTILINE)
        for key in (b"uri", b"class")
    )
    return tuple(match[1] if match else b"" for match in found)


def expect_self_contained(content: bytes, where) -> None:
    """Refuse an ASDF file that would exhaust the asdf package or make it open other files or addresses.

    Raises
    ------
    InputError
        The tree has no end or is not YAML, its aliases expand without bound, or an array is in another file;
        the message begins with `where`.
    """
    from drizzleflow.io import yaml_safe
    from drizzleflow.io.asdf_file import END_OF_TREE
    from drizzleflow.io.asdf_nodes import NDARRAY, entry, is_mapping, nodes

    end = END_OF_TREE.search(content)
    if not end:
        raise InputError(f"{where}: not an ASDF tree, or cut short")
    try:
        root = yaml_safe.compose(content[: end.end()].decode("utf-8"))
    except ValueError as error:  # also of text that is not UTF-8
        raise InputError(f"{where}: the tree is not valid YAML ({error})") from None
    for node in nodes(*([] if root is None else [root])):
        source = entry(node, "source") if is_mapping(node) and node.tag.startswith(NDARRAY) else None
        # JWST files refer to their own HDUs as fits:SCI,1, which asdf itself does not follow
        if source is not None and not (
            isinstance(source.value, str) and re.fullmatch(r"-?[0-9]+|fits:.*", source.value)
        ):
            raise InputError(f"{where}: an array is in another file, expected all in this one")


def read_tree(content: bytes, where) -> dict:
    """The tree of an ASDF file, with arrays and GWCS objects made.

    Schemas are not checked: that takes longer than all the rest, and what older pipelines tagged otherwise is
    read too.

    Raises
    ------
    InputError
        See `expect_self_contained`. asdf and gwcs raise what they like for objects that cannot be made.
    """
    import warnings

    import asdf
    import gwcs  # noqa: F401  (its converters must be installed for asdf to find)

    expect_self_contained(content, where)
    _ = asdf.get_config().extensions  # looked up once: a context starts from a copy
    with asdf.config_context() as settings, warnings.catch_warnings():
        warnings.simplefilter("ignore", asdf.exceptions.AsdfWarning)
        settings.validate_on_read = False
        with asdf.open(io.BytesIO(content), lazy_load=False) as file:
            return dict(file.tree)


def quick_start() -> None:
    """Let the asdf package read its own manifests with libyaml.

    It halves the start of a job: asdf reads 44 files, which take PyYAML's own parser 0.8 s.
    """
    import yaml

    yaml.SafeLoader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
