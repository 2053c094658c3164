"""Numbers in text that can be those of payment cards."""

import re
from collections.abc import Iterator

from tracelib.redaction.patterns import WORD_BEGINS, compiled, finds

# Whole, or grouped as cards are printed.
_NUMBER = compiled(
    rf"{WORD_BEGINS}([0-9]{{14,19}}"
    r"|[0-9]{4}(?: [0-9]{4}){3}(?: [0-9]{3})?|[0-9]{4}(?:-[0-9]{4}){3}(?:-[0-9]{3})?"
    r"|[0-9]{4}[ -][0-9]{6}[ -][0-9]{4,5})\b"
)
# Visa; Mastercard, old and new; American Express; Diners; JCB; Discover, UnionPay, Maestro.
_ISSUED = re.compile(
    r"4(?:[0-9]{15}|[0-9]{18})|5[1-5][0-9]{14}|2[2-7][0-9]{14}|3[47][0-9]{13}"
    r"|3(?:0[0-5]|[68][0-9])[0-9]{11}|35[0-9]{14}|6[0-9]{15,18}"
)


def cards(text: str) -> Iterator[tuple[int, int]]:
    """Where are the card numbers of this text: as an issuer has them, with the right check digit?

    >>> text = "4111 1111 1111 1111 12/29, 0.4111111111111111, 4111111111111112"
    >>> [text[slice(*span)] for span in cards(text)]
    ['4111 1111 1111 1111']
    """
    for start, end in finds(_NUMBER, text):
        digits = text[start:end].replace(" ", "").replace("-", "")
        is_fraction = text[max(start - 1, 0) : start] == "."
        if not is_fraction and _ISSUED.fullmatch(digits) and _checks(digits):
            yield start, end


def _checks(digits: str) -> bool:
    """Luhn's sum: every second digit from the right doubled, its digits added up."""
    doubled = [int(digit) * 2 for digit in digits[-2::-2]]
    plain = [int(digit) for digit in digits[-1::-2]]
    return (sum(plain) + sum(digit - 9 if digit > 9 else digit for digit in doubled)) % 10 == 0
