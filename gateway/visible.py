"""Text of strangers made safe to show: in a log line, on an operator's terminal.

Knows what cannot be seen. Knows neither logs nor terminals.
"""


def visible(text: str) -> str:
    r"""*text* with what cannot be seen written as an escape (``\x1b``, ``\n``).

    >>> visible("meter\x1b[2J-7")
    'meter\\x1b[2J-7'
    """
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in text)
