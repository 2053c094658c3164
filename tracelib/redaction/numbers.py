"""Numbers that carry a check or have one shape: payment cards, bank accounts, social security."""

import re
from collections.abc import Iterator

from stdnum import iban, luhn
from stdnum.us import ssn

from tracelib.redaction.patterns import WORD_BEGINS, Searched, Span, compiled

# Whole, or grouped as cards are printed.
_CARD = compiled(
    rf"{WORD_BEGINS}([0-9]{{14,19}}"
    r"|[0-9]{4}(?: [0-9]{4}){3}(?: [0-9]{3})?|[0-9]{4}(?:-[0-9]{4}){3}(?:-[0-9]{3})?"
    r"|[0-9]{4}[ -][0-9]{6}[ -][0-9]{4,5})\b"
)
# Visa; Mastercard, old and new; American Express; Diners; JCB; Discover, UnionPay, Maestro.
_ISSUED = re.compile(
    r"4(?:[0-9]{15}|[0-9]{18})|5[1-5][0-9]{14}|2[2-7][0-9]{14}|3[47][0-9]{13}"
    r"|3(?:0[0-5]|[68][0-9])[0-9]{11}|35[0-9]{14}|6[0-9]{15,18}"
)
_IBAN = compiled(rf"{WORD_BEGINS}([A-Z]{{2}}[0-9]{{2}}(?:[ -]?[A-Z0-9]){{11,30}})")
_IBAN_GROUP = re.compile(rb"[A-Z0-9]+")
_SSN = compiled(rf"{WORD_BEGINS}([0-9]{{3}}-[0-9]{{2}}-[0-9]{{4}})\b")
_QUOTES = r"""["'\\]{0,3}"""
_NAMED_SSN = compiled(
    rf"{WORD_BEGINS}(?i:ssn|social[ _-]security(?:[ _-](?:number|no))?)\.?{_QUOTES}"
    rf"(?:\s(?:is|was))?\s{{0,2}}[:=#]?\s{{0,2}}{_QUOTES}"
    r"([0-9]{3}[ -]?[0-9]{2}[ -]?[0-9]{4})\b",
    "ssn",
    "social",
)


def cards(searched: Searched) -> Iterator[Span]:
    """Where are the card numbers of this text: as an issuer has them, with the right check digit?

    >>> text = b"4111 1111 1111 1111 12/29, 0.4111111111111111, 4111111111111112"
    >>> [text[slice(*span)] for span in cards(Searched(text))]
    [b'4111 1111 1111 1111']
    """
    text = searched.text
    if not searched.has_number:
        return
    for start, end in _CARD.spans(searched):
        digits = text[start:end].decode().replace(" ", "").replace("-", "")
        is_fraction = text[max(start - 1, 0) : start] == b"."
        if not is_fraction and _ISSUED.fullmatch(digits) and luhn.is_valid(digits):
            yield start, end


def ibans(searched: Searched) -> Iterator[Span]:
    """Where are the bank account numbers of this text: of a country's length and checked?

    >>> text = b"DE89 3704 0044 0532 0130 00 BIC, DE00370400440532013000"
    >>> [text[slice(*span)] for span in ibans(Searched(text))]
    [b'DE89 3704 0044 0532 0130 00']
    """
    text = searched.text
    for start, end in _IBAN.spans(searched):
        ends = [group.end() for group in _IBAN_GROUP.finditer(text, start, end)]
        for last in reversed(ends):
            is_whole = not text[last : last + 1].isalnum()
            if is_whole and iban.is_valid(text[start:last].decode()):
                yield start, last
                break


def ssns(searched: Searched) -> Iterator[Span]:
    """Where are the US social security numbers of this text: of that shape, or named so?

    >>> text = b"123-45-6789, 000-45-6789, SSN 987654321"
    >>> [text[slice(*span)] for span in ssns(Searched(text))]
    [b'123-45-6789', b'987654321']
    """
    text = searched.text
    if not searched.has_number:
        return
    for start, end in _SSN.spans(searched):
        is_whole = text[max(start - 1, 0) : start] != b"-" and text[end : end + 1] != b"-"
        if is_whole and ssn.is_valid(text[start:end].decode()):
            yield start, end
    yield from _NAMED_SSN.spans(searched)
