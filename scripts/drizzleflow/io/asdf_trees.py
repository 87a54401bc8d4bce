"""ASDF trees as bytes that depend on the tree alone."""

from __future__ import annotations

import io
import re

from drizzleflow.errors import InputError


def asdf_bytes(tree: dict) -> bytes:
    """An ASDF file of `tree`, the same bytes in every process.

    asdf lists the extensions that it used (``history.extensions``) in the order of a set, which changes from
    process to process, but keeps entries that are there already: a first writing finds them, a second one has
    them sorted.
    """
    import asdf

    first = io.BytesIO()
    asdf.AsdfFile(dict(tree)).write_to(first)
    with asdf.open(io.BytesIO(first.getvalue())) as written:
        used = list(written.tree.get("history", {}).get("extensions", []))
        used.sort(key=lambda entry: (entry.get("extension_uri") or "", entry["extension_class"]))
        stable = asdf.AsdfFile(dict(tree))
        stable.tree["history"] = {"extensions": used}
        out = io.BytesIO()
        stable.write_to(out)
    return out.getvalue()


def expect_self_contained(content: bytes, where) -> None:
    """Refuse an ASDF file that would exhaust asdf, or have it open other files or addresses.

    Raises
    ------
    InputError
        The tree has no end or is not YAML, its aliases expand without bound, or an array is in another file.
    """
    from drizzleflow.io import yaml_safe
    from drizzleflow.io.asdf_file import END_OF_TREE
    from drizzleflow.io.asdf_nodes import NDARRAY, entry, is_mapping, nodes

    found = END_OF_TREE.search(content)
    if not found:
        raise InputError(f"{where}: not an ASDF tree, or cut short")
    try:
        root = yaml_safe.compose(content[: found.end()].decode("utf-8"))
    except ValueError as error:  # also text that is not UTF-8
        raise InputError(f"{where}: the tree is not valid YAML ({error})") from None
    for node in nodes(*([] if root is None else [root])):
        source = entry(node, "source") if is_mapping(node) and node.tag.startswith(NDARRAY) else None
        # fits:SCI,1 is how JWST files name their own HDUs; asdf alone does not follow it
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
    """Let asdf read its manifests with libyaml, which halves a job's start (44 files, 0.8 s with PyYAML's own)."""
    import yaml

    yaml.SafeLoader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
