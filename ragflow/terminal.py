"""Text from documents, made safe to print.

A file's name or text may hold control sequences that recolour, retitle, overwrite or type into a
terminal, and bidirectional marks that show another order than is there. All of them are shown as
what they are.
"""

import re
import textwrap

# C0 and C1 controls; soft hyphen and marks of no width (joiners stay: scripts need them); bidirectional
# marks, line and paragraph separators; tags; halves of surrogate pairs.
_HIDDEN = re.compile(
    "[\x00-\x1f\x7f-\x9f\u00ad\u061c\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb"
    "\ud800-\udfff\U000e0000-\U000e007f]"
)
_HIDDEN_KEEPING_LINES = re.compile(_HIDDEN.pattern.replace("\x00-\x1f", "\x00-\x09\x0b-\x1f"))


def escape(text: str, *, lines: bool = False) -> str:
    r"""Return the text with every hidden character written out: ESC becomes ``\x1b``.

    ``lines`` keeps line feeds and turns tabs into a space; without it the text stays on one line.
    What is printed holds no control character (but the line feeds asked for).
    """
    if lines:
        return _HIDDEN_KEEPING_LINES.sub(_written_out, text.replace("\t", " "))
    return _HIDDEN.sub(_written_out, text)


def one_line(text: str, width: int) -> str:
    """Return the text on one line of at most ``width`` characters, white space collapsed, ``...`` if cut."""
    flat = escape(" ".join(text.split()))
    return flat if len(flat) <= width else flat[: max(0, width - 3)].rstrip() + "..."


def wrapped(text: str, width: int, *, indent: str = "") -> str:
    """Return the text in lines of at most ``width`` characters, its own line breaks kept."""
    folded = (
        textwrap.fill(line, width, initial_indent=indent, subsequent_indent=indent, break_on_hyphens=False)
        for line in escape(text, lines=True).split("\n")
    )
    return "\n".join(folded)


def _written_out(match: re.Match[str]) -> str:
    number = ord(match.group())
    if number <= 0xFF:
        return f"\\x{number:02x}"
    return f"\\u{number:04x}" if number <= 0xFFFF else f"\\U{number:08x}"
