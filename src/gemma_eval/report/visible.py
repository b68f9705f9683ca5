"""Text that came from elsewhere, with every character that a page would hide or obey made visible."""

from __future__ import annotations

import re

_PICTURES = {code: chr(0x2400 + code) for code in range(0x20) if chr(code) not in "\n\t"} | {0x7F: "\u2421"}

# C0 but newline and tab, DEL, C1; marks and overrides of direction; line and paragraph separator;
# invisible operators and byte order mark; lone surrogates, which no file can hold.
_HIDDEN = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ud800-\udfff]"
)


def visible(text: str) -> str:
    r"""Return `text` with controls as their pictures (`␛`) and others that act unseen as `\u202e`."""
    return _HIDDEN.sub(_show, text)


def _show(found: re.Match[str]) -> str:
    code = ord(found.group())
    return _PICTURES.get(code, f"\\u{code:04x}")
