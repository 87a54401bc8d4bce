"""Blocks of ASDF files: where they are, what is before them, and what is in them (ASDF standard 1.6)."""

from __future__ import annotations

import hashlib
import struct
from dataclasses import dataclass

from drizzleflow.errors import InputError

MAGIC = b"\xd3BLK"
_HEAD = struct.Struct(">I4sQQQ16s")  #: flags, compression, bytes allocated, used, uncompressed, MD5
_STREAMED = 1  #: flag of a block that reaches to the file's end


@dataclass(frozen=True)
class Block:
    """Where a block is in the file: bytes from the start of the file."""

    header: int
    data: int
    used: int
    end: int
    size: int  #: uncompressed
    compression: bytes  #: b"" where it is none
    streamed: bool
    digest: bytes  #: MD5 of the content; zeros where it is not known


def blocks_of(content, start: int) -> list[Block]:
    """The blocks of a file (mapped, or bytes) of which the first comes at `start` or later; up to one that is
    cut within its header.
    """
    at, size, listed = content.find(MAGIC, start), len(content), []  # what lies between is padding
    while at >= 0 and content[at : at + 4] == MAGIC:
        (length,) = struct.unpack(">H", content[at + 4 : at + 6] or b"\0\0")
        if at + 6 + max(length, _HEAD.size) > size:
            break  # whoever asks for this block is told
        flags, compression, allocated, used, whole, digest = _HEAD.unpack_from(content, at + 6)
        data, streamed = at + 6 + length, bool(flags & _STREAMED)
        if streamed:
            used = allocated = whole = size - data
        kind = compression.strip(b"\0")
        listed.append(
            Block(at, data, used, data + allocated, whole if kind else used, kind, streamed, digest)
        )
        at = data + allocated
    return listed


def header_of(raw) -> bytes:
    """What stands before a block of these bytes, uncompressed."""
    digest = hashlib.md5(raw, usedforsecurity=False).digest()
    return (
        MAGIC + struct.pack(">H", _HEAD.size) + _HEAD.pack(0, b"\0" * 4, len(raw), len(raw), len(raw), digest)
    )


def decompressed(content, block: Block, path, source) -> memoryview:
    """The content of a compressed block: never more than its header says, whatever its stream would give."""
    where, kind = f"{path}: block {source}", block.compression
    try:
        found = _unpacked(content, kind, block.size, where)
    except InputError:
        raise
    except Exception as error:  # each library has its own
        raise InputError(f"{where}: cannot be decompressed ({error})") from None
    if len(found) != block.size:
        raise InputError(
            f"{where}: cannot be decompressed (its stream does not give the {block.size} bytes that its header says)"
        )
    return memoryview(found)


def _unpacked(content, kind: bytes, size: int, where: str):
    if kind == b"zlib":
        import zlib

        return zlib.decompressobj().decompress(content, size + 1)
    if kind == b"bzp2":
        import bz2

        return bz2.BZ2Decompressor().decompress(content, size + 1)
    if kind == b"lz4":
        try:
            from lz4.block import decompress
        except ImportError:
            raise InputError(
                f"{where} is compressed with lz4; expected the Python package lz4 to be installed"
            ) from None
        pieces, at, total = [], 0, 0
        while at < len(content):  # pieces of 4 MB, each with its length, and then its size, in front
            (length,) = struct.unpack(">I", content[at : at + 4])
            piece = content[at + 4 : at + 4 + length]
            total += struct.unpack("<I", piece[:4])[0]
            if total > size:
                raise ValueError("its pieces are larger than its header says")
            pieces.append(decompress(piece))
            at += 4 + length
        return b"".join(pieces)
    raise InputError(
        f"{where}: unknown compression {kind.decode('ascii', 'replace')!r}, expected zlib, bzp2 or lz4"
    )
