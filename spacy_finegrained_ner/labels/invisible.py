"""Characters that can't be seen. In the name of a type they make two of what looks like one."""

import unicodedata

BYTE_ORDER_MARK = "\ufeff"
"""No part of a text: it is left where files were put together."""

JOINERS = ("\u200c", "\u200d")
"""Part of the spelling in some scripts, and of emoji."""


def invisible(text: str) -> str | None:
    """The first character that can't be seen as `U+200B`; None where there is none. A plain space
    and the joiners (U+200C, U+200D) are none."""
    if text.isprintable():
        return None  # nearly always, and fast
    for char in text:
        # Control and format characters, and all separators
        if unicodedata.category(char) in ("Cc", "Cf", "Zl", "Zp", "Zs"):
            if char == " " or char in JOINERS:
                continue
            return f"U+{ord(char):04X}"
    return None
