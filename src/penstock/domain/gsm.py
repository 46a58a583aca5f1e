"""
The 7-bit default alphabet of GSM 03.38 (3GPP TS 23.038, 6.2.1) and its extension table (6.2.1.1).

A text is encoded to one septet a byte, unpacked, as SMPP carries it under data_coding 0.
"""

import re

#: 6.2.1: the character of each septet; 0x1B is the escape to the extension table.
_DEFAULT = (
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞ\x1bÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?"
    "¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
_ESCAPE = 0x1B
#: 6.2.1.1: septets after the escape.
_EXTENSION = {0x0A: "\f", 0x14: "^", 0x28: "{", 0x29: "}", 0x2F: "\\", 0x3C: "[", 0x3D: "~", 0x3E: "]", 0x40: "|",
              0x65: "€"}  # fmt: skip

#: Septets are the Latin-1 characters of the same number, which `encode` then writes as bytes.
_TO_SEPTETS = {ord(char): chr(septet) for septet, char in enumerate(_DEFAULT) if septet != _ESCAPE}
_TO_SEPTETS |= {ord(char): chr(_ESCAPE) + chr(septet) for septet, char in _EXTENSION.items()}
#: Characters that take two septets.
EXTENDED = "".join(_EXTENSION.values())

#: Characters whose septet is their ASCII code, one septet each.
_PLAIN = re.compile(r"[\n\r !\"#%&'()*+,\-./0-9:;<=>?A-Za-z]*", re.ASCII)
_PLAIN_OCTETS = re.compile(_PLAIN.pattern.encode())
_ALL = re.compile("[" + re.escape(_DEFAULT.replace(chr(_ESCAPE), "") + EXTENDED) + "]*")


def is_plain(text: str) -> bool:
    """Tell whether each character is one septet that equals its ASCII code."""
    return _PLAIN.fullmatch(text) is not None


def encode(text: str) -> bytes | None:
    """Return the septets of a text, one a byte; None when it has characters outside the alphabet."""
    if _PLAIN.fullmatch(text):
        return text.encode("ascii")
    # Asked first: most texts outside the alphabet are so from their first letter on.
    if not _ALL.fullmatch(text):
        return None
    return text.translate(_TO_SEPTETS).encode("latin-1")


def septets(text: str) -> int | None:
    """Return how many septets a text takes; None when it has characters outside the alphabet."""
    if not _ALL.fullmatch(text):
        return None
    return len(text) + sum(map(text.count, EXTENDED))


def decode(data: bytes) -> str:
    """
    Return the text of unpacked septets.

    As 6.2.1.1 asks of receivers, a septet that has no extension is read from the default alphabet
    after an escape, and an escape after an escape is a blank.
    """
    if _PLAIN_OCTETS.fullmatch(data):
        return data.decode("ascii")
    text = []
    escaped = False
    for octet in data:
        septet = octet & 0x7F
        if escaped:
            text.append(_EXTENSION.get(septet) or (" " if septet == _ESCAPE else _DEFAULT[septet]))
            escaped = False
        elif septet == _ESCAPE:
            escaped = True
        else:
            text.append(_DEFAULT[septet])
    return "".join(text)
