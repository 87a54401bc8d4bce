"""The one exception that is meant for the person at the keyboard, and text that is safe to show there."""

import re

LONGEST = 2000  #: characters of a message
#: what moves a cursor, colours, ends a line, turns the direction of writing, or cannot be encoded
_CONTROL = re.compile(
    "[\x00-\x1f\x7f-\x9f\u2028\u2029\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff\ud800-\udfff]"
)


def harmless(text: str) -> str:
    """`text` on one line: line breaks are spaces, what cannot be printed escapes (``\\x1b``), too long a middle is left out.

    For what a file says, in messages and logs: it can neither forge a line nor reach the terminal.
    """
    line = re.sub(r"[\r\n]+ *", " ", text.strip())
    line = "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in line)
    return line if len(line) <= LONGEST else f"{line[: LONGEST // 2]} ... {line[-LONGEST // 4 :]}"


def has_control(text: str) -> bool:
    """Whether `text` has characters that a path or a name cannot sensibly hold: control characters, half a surrogate pair."""
    return bool(_CONTROL.search(text))


class InputError(ValueError):
    """A file, a configuration value or an association that cannot be used.

    The message is one line, made `harmless`: the file, key or extension, what was found and what was expected.
    """

    def __init__(self, message: object = ""):
        super().__init__(harmless(str(message)))
