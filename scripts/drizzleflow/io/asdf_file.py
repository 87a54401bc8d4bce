"""ASDF files as they lie on disk: the tree as YAML nodes, and the arrays as blocks of bytes.

The asdf package makes Python objects of a tree; it takes half a second to start, and needs the packages that
know the tree's tags. Jobs need less: a few numbers, rows of arrays, and a copy of the file in which nothing
else changes. YAML nodes keep the tags, the digits of numbers and the order of the file, whatever they mean.
Source of the layout: the ASDF standard 1.6.0.
"""

from __future__ import annotations

import hashlib
import math
import mmap
import os
import re
import reprlib

from drizzleflow.errors import ChecksumError, InputError
from drizzleflow.io import asdf_blocks, yaml_safe
from drizzleflow.io.asdf_nodes import (
    aliased,
    array_node,
    entry,
    is_sequence,
    nodes,
    plain,
    scalar,
    serialized,
    source_of,
)

MAGIC = b"#ASDF"
END_OF_TREE = re.compile(rb"\n\.\.\.[ \t]*\r?\n")
_TYPES = {
    "bool8",
    "int8",
    "int16",
    "int32",
    "int64",
    "uint8",
    "uint16",
    "uint32",
    "uint64",
    "float16",
    "float32",
    "float64",
}


class AsdfFile:
    """An ASDF file whose tree has been read; arrays are read when they are asked for.

    Attributes
    ----------
    path : str
    root : yaml.Node
        The tree. Changed nodes are written by `write`, and change nothing else.
    comments : str
        The lines before the tree, which state the versions of the file format and of the standard.

    Raises
    ------
    InputError
        The file is missing, is not ASDF, is cut short within its tree, or its tree is not YAML.
    """

    def __init__(self, path):
        self.path = os.fspath(path)
        text = self._tree_text()
        self.comments = re.match(r"(?:#[^\n]*\n)*", text)[0]  #: the lines with the versions
        self._blocks: list[asdf_blocks.Block] | None = None
        try:
            self.root = yaml_safe.compose(text)
        except ValueError as error:
            raise InputError(f"{self.path}: the tree is not valid YAML ({error})") from None

    def _tree_text(self) -> str:
        try:
            with open(self.path, "rb") as file:
                content = file.read(1 << 16)
                if not content.startswith(MAGIC):
                    raise InputError(
                        f"{self.path}: not an ASDF file (it does not begin with {MAGIC.decode()})"
                    )
                start = 0
                while not (end := END_OF_TREE.search(content, start)):
                    more = file.read(1 << 18)
                    if not more or asdf_blocks.MAGIC in content:
                        raise InputError(f"{self.path}: the file is cut short: its tree has no end")
                    start, content = max(0, len(content) - 64), content + more
        except OSError as error:
            raise InputError(f"{self.path}: cannot be read ({error.strerror})") from None
        self._tree_end = end.end()
        try:
            return content[: end.end()].decode("utf-8")
        except UnicodeDecodeError as error:
            raise InputError(f"{self.path}: the tree is not UTF-8 text (byte {error.start})") from None

    # -- the tree

    def node(self, *keys):
        """The node at a path of keys (``"roman", "meta", "wcs"``); None where there is none."""
        node = self.root
        for key in keys:
            node = entry(node, key)
        return node

    def value(self, *keys):
        """The value at a path of keys in plain Python types (see `plain`); None where there is none."""
        node = self.node(*keys)
        return None if node is None else plain(node)

    # -- the arrays

    @property
    def blocks(self) -> list[asdf_blocks.Block]:
        if self._blocks is None:
            self._blocks = self._find_blocks()
        return self._blocks

    def _find_blocks(self) -> list[asdf_blocks.Block]:
        with open(self.path, "rb") as file:
            if os.path.getsize(self.path) <= self._tree_end:
                return []
            with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
                return asdf_blocks.blocks_of(content, self._tree_end)

    def block(self, source: int):
        """The content of a block, uncompressed, as a buffer (mapped where it is not compressed).

        Raises
        ------
        InputError
            There is no such block, it is cut short, or it cannot be decompressed.
        """
        if not 0 <= source < len(self.blocks):
            raise InputError(
                f"{self.path}: the file is cut short: no block {source}, it has {len(self.blocks)}"
            )
        block = self.blocks[source]
        with open(self.path, "rb") as file:
            content = memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))[
                block.data : block.data + block.used
            ]
        if len(content) < block.used:
            raise InputError(f"{self.path}: the file is cut short within block {source}")
        return (
            content if not block.compression else asdf_blocks.decompressed(content, block, self.path, source)
        )

    def verify(self) -> None:
        """Compare the MD5 of each block that states one.

        Compressed blocks are left out: writers differ in whether the MD5 is that of the compressed bytes.

        Raises
        ------
        InputError
            The file is cut short.
        ChecksumError
            A block's content is not that of its checksum.
        """
        for number, block in enumerate(self.blocks):
            if not block.compression and not block.streamed and any(block.digest):
                if hashlib.md5(self.block(number), usedforsecurity=False).digest() != block.digest:
                    raise ChecksumError(
                        f"{self.path}: block {number} is not that of its checksum: the file is damaged"
                    )

    def check(self, node, name: str) -> None:
        """Refuse an array whose description shows that it has no plain numbers or does not fit its block.

        Nothing is read or allocated.

        Raises
        ------
        InputError
            As in `array`.
        """
        node = array_node(node)
        if node is not None and entry(node, "source") is not None:
            self._place(node, f"{self.path}[{name}]")

    def _place(self, node, where):
        """(block, shape, numpy type, offset in bytes, strides) of an array that fits the block it is in."""
        import numpy as np

        about = self._plain(node)
        source, shape, kind = about.get("source"), self.shape(node), about.get("datatype")
        if isinstance(source, bool) or not isinstance(source, int) or source < 0:
            raise InputError(f"{where}: its data are at {_brief(source)}, expected a block of this file")
        if shape is None or not isinstance(kind, str) or kind not in _TYPES:
            raise InputError(
                f"{where}: shape {_brief(about.get('shape'))} of {_brief(kind)}, "
                "expected whole numbers and a plain number type"
            )
        stored = np.dtype("bool" if kind == "bool8" else kind).newbyteorder(
            "<" if about.get("byteorder") == "little" else ">"
        )
        strides, offset = about.get("strides"), about.get("offset") or 0
        if not _whole(offset) or not (
            strides is None or (isinstance(strides, list) and all(map(_whole, strides)))
        ):
            raise InputError(
                f"{where}: offset {_brief(offset)}, strides {_brief(strides)}, expected whole numbers"
            )
        if not 0 <= source < len(self.blocks):
            raise InputError(
                f"{self.path}: the file is cut short: no block {source}, it has {len(self.blocks)}"
            )
        block, needed = self.blocks[source], stored.itemsize * math.prod(shape)
        if block.data + block.used > os.path.getsize(self.path):
            raise InputError(f"{self.path}: the file is cut short within block {source}")
        if offset < 0 or needed + (offset if strides is None else 0) > block.size:
            raise InputError(
                f"{where}: the file is cut short ({block.size} bytes in block {source}, "
                f"expected {needed} from byte {offset} on)"
            )
        return source, shape, stored, offset, strides

    def shape(self, node) -> tuple[int, ...] | None:
        """The shape of the array or quantity at a node; None where there is neither."""
        node = array_node(node)
        if node is None:
            return None
        if is_sequence(node):
            return self._inline_shape(self._plain(node))
        about = self._plain(node)
        if "data" in about and "source" not in about:
            return self._inline_shape(about["data"])
        shape = about.get("shape")
        whole = isinstance(shape, list) and len(shape) <= 32 and all(_whole(n) and n >= 0 for n in shape)
        return tuple(shape) if whole else None

    def _plain(self, node):
        try:
            return plain(node)
        except Exception as error:  # of yaml, or of Python where a number or a mapping is malformed
            raise InputError(f"{self.path}: its tree cannot be understood ({error})") from None

    def _inline_shape(self, lists) -> tuple[int, ...] | None:
        import numpy as np

        try:
            return np.shape(lists)
        except ValueError:  # rows of different lengths
            return None

    def array(self, node, dtype=None, rows=None, name="array"):
        """Read the array, or the value of the quantity, at a node.

        Parameters
        ----------
        node : yaml.Node
        dtype : optional
            Of the result; by default that of the array.
        rows : (first, end), optional
            Of the first axis; only these are read, unless the block is compressed.
        name : str
            The array's name in messages.

        Returns
        -------
        array, native and C-contiguous, a copy

        Raises
        ------
        InputError
            There is no array, it has no plain numbers, it does not fit its block, or the block is damaged.
        """
        import numpy as np

        where = f"{self.path}[{name}]"
        node = array_node(node)
        if node is None:
            raise InputError(f"{where}: not an array")
        about = {"data": self._plain(node)} if is_sequence(node) else self._plain(node)
        cut = slice(*rows) if rows is not None else slice(None)
        if "source" not in about:
            try:
                return np.ascontiguousarray(np.asarray(about.get("data"), dtype=dtype)[cut])
            except (IndexError, TypeError, ValueError) as error:
                raise InputError(f"{where}: not an array of numbers ({error})") from None
        source, shape, stored, offset, strides = self._place(node, where)
        content = self.block(source)
        try:
            whole = np.ndarray(shape, stored, buffer=content, offset=offset, strides=strides)
        except (TypeError, ValueError) as error:
            raise InputError(f"{where}: does not fit block {source} ({error})") from None
        return np.array(whole[cut], dtype=dtype or stored.newbyteorder("="), order="C")

    # -- copies

    def uses(self) -> dict[int, int]:
        """block -> the number of places in the tree that use it; 2 stands for two or more."""
        places: dict[int, int] = {}
        shared = aliased(self.root)
        for node in nodes(self.root):
            source = source_of(node)
            if source is not None:
                places[source] = min(2, places.get(source, 0) + (2 if id(node) in shared else 1))
        return places

    def write(self, path, arrays: dict) -> None:
        """Write a copy of this file with its present tree, and with other arrays in some blocks.

        The copy is written whole or not at all. Other blocks keep their bytes. The same tree and arrays give
        the same bytes; no time is written.

        Parameters
        ----------
        path : path
        arrays : dict
            block -> array, or a function without arguments that returns one. It is written little-endian and
            uncompressed. Numbers past the last block stand for new blocks, in order.

        Raises
        ------
        InputError
            The last block is a stream, `path` is this file, or the file is cut short.
        """
        import numpy as np

        from drizzleflow.io.files import replacing

        blocks = self.blocks
        if any(block.streamed for block in blocks):
            raise InputError(f"{self.path}: its last block is a stream, expected blocks of known size")
        if os.path.exists(path) and os.path.samefile(self.path, path):
            raise InputError(f"{path}: the output would replace its own input")
        index = []
        with replacing(path) as temporary, open(temporary, "wb") as out, open(self.path, "rb") as file:
            out.write((self.comments + serialized(self.root)).encode())
            for number in range(max([len(blocks), *(n + 1 for n in arrays)])):
                index.append(out.tell())
                if number in arrays:
                    new = arrays[number]
                    new = np.asarray(new() if callable(new) else new)
                    new = np.ascontiguousarray(new, dtype=new.dtype.newbyteorder("<"))
                    raw = memoryview(new).cast("B") if new.size else memoryview(b"")
                    out.write(asdf_blocks.header_of(raw))
                    out.write(raw)
                    continue
                block = blocks[number]
                file.seek(block.header)
                raw = file.read(block.end - block.header)
                if len(raw) < block.end - block.header:
                    raise InputError(f"{self.path}: the file is cut short within block {number}")
                out.write(raw)
            if index:
                lines = "".join(f"- {place}\n" for place in index)
                out.write(f"#ASDF BLOCK INDEX\n%YAML 1.1\n---\n{lines}...\n".encode())

    def part(self, **trees) -> bytes:
        """The bytes of a small ASDF file with some nodes of this one, ``name=node``, and their blocks.

        The blocks are uncompressed. The nodes' block numbers are changed in place: use an `AsdfFile` that was
        opened for this alone.
        """
        import yaml

        content, done = [], {}
        for node in nodes(*trees.values()):
            source = source_of(node)
            if source is not None:
                if source not in done:
                    done[source] = len(done)
                    content.append(self.block(source))
                entry(node, "source").value = str(done[source])
        pairs = [(scalar(name), node) for name, node in trees.items()]
        text = self.comments + serialized(yaml.MappingNode("tag:yaml.org,2002:map", pairs, flow_style=False))
        return text.encode() + b"".join(asdf_blocks.header_of(raw) + bytes(raw) for raw in content)


def _whole(value) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _brief(value) -> str:
    """A value of a file, shortened for a message: aliases can make an endless list of a short text."""
    return reprlib.repr(value)
