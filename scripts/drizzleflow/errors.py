"""`InputError`, the exception whose message is meant for the user, and text that is safe to show."""

import re

LONGEST = 2000  #: characters of a message
#: characters that move a cursor, colour, end a line, turn the direction of writing, or cannot be encoded
_CONTROL = re.compile(
    "[\x00-\x1f\x7f-\x9f\u2028\u2029\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff\ud800-\udfff]"
)


def harmless(text: str) -> str:
    """`text` on one line of printable characters.

    Line breaks become spaces, characters that cannot be printed become escapes (``\\x1b``), and the middle of
    a text of more than `LONGEST` characters is left out. Texts from files go through it on their way into
    messages and logs, so that they can neither forge a line nor control the terminal.
    """
    line = re.sub(r"[\r\n]+ *", " ", text.strip())
    line = "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in line)
    return line if len(line) <= LONGEST else f"{line[: LONGEST // 2]} ... {line[-LONGEST // 4 :]}"


def has_control(text: str) -> bool:
    """Whether `text` has characters that no path should have: control characters, unpaired surrogates."""
    return bool(_CONTROL.search(text))


class InputError(ValueError):
    """A file, a configuration value or an association cannot be used.

    The message is one `harmless` line: the file, the key or extension, what is there, and what was expected.
    """

    def __init__(self, message: object = ""):
        super().__init__(harmless(str(message)))


class ChecksumError(InputError):
    """The data of a file are not those of their checksum."""
