"""ASDF trees as bytes that depend on the tree alone."""

from __future__ import annotations

import io


def asdf_bytes(tree: dict) -> bytes:
    """An ASDF file of `tree`, the same bytes in every process.

    asdf lists the extensions that it used (``history.extensions``) in the order of a set, which changes from process to
    process, but keeps entries that are there already: a first writing finds them, a second one has them sorted.
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


def quick_start() -> None:
    """Let asdf read its manifests with libyaml: for jobs, whose start it halves (44 files, 0.8 s with PyYAML's own)."""
    import yaml

    yaml.SafeLoader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
