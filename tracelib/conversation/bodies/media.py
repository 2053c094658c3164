"""Images, audio, files and documents in a message: what they are, never their bytes."""

from collections.abc import Callable
from dataclasses import replace
from hashlib import blake2b

from tracelib.conversation.bodies import phrases
from tracelib.conversation.bodies.fields import Fields
from tracelib.conversation.bodies.messages import Kind, Part, is_redacted
from tracelib.conversation.bodies.texts import (
    begins_encoded,
    is_encoded,
    json_part,
    named,
    shown,
    shown_name,
    text_part,
)
from tracelib.conversation.json_values import string

_LONGEST_HEADER = 200  # of a data: URL, before its comma
_BYTES = (
    *("data", "bytes", "b64_json", "image_base64", "file_data", "blob", "fileWithBytes", "raw"),
    *("result", "input_audio", "audio", "body", "base64"),
)
_ADDRESSES = (
    *("url", "uri", "image_url", "file_url", "document_url", "video_url", "audio_url", "fileUri"),
    *("file_uri", "gcsUri", "fileWithUri", "file_id", "fileId", "s3Location"),
)
_TYPES = (
    *("media_type", "mime_type", "mimeType", "mediaType", "content_type", "format"),
    "output_format",
)
_HELD_IN = (
    *("source", "image_url", "file", "input_audio", "audio", "input_image", "document_url"),
    *("video_url", "audio_url", "image", "resource"),
)
_NAMES = ("filename", "file_name", "title", "name", "display_name", "displayName")
_KINDS: dict[str, Kind] = {"image": "image", "audio": "audio"}


def media_part(
    kind: Kind, content: object, *, media_type: str = "", name: str | None = None
) -> Part:
    """The part for an image, audio or a file.

    `content` is an address (shown as it is), a `data:` URL or base64 (shown as media type and
    size), or nothing.
    """
    stored = string(content)
    if not stored:
        return Part(kind, _not_stored(media_type, kind), name)
    head = stored[:_LONGEST_HEADER]
    if head.startswith("data:") and "," in head:
        header, _, encoded = stored.partition(",")
        media_type = header.removeprefix("data:").split(";")[0] or media_type
        return _placeholder(kind, encoded, media_type, name)
    if "://" in head[:20] or is_redacted(stored) or not begins_encoded(stored):
        return _fingerprinted(text_part(stored, kind, name=name), stored)
    return _placeholder(kind, stored, media_type, name)


def address_part(
    kind: Kind, address: str, *, media_type: str = "", name: str | None = None
) -> Part:
    """The part for this address, which some clients build from the bytes."""
    if address.startswith("data:") or not address or is_encoded(address):
        return media_part(kind, address, media_type=media_type, name=name)
    return _fingerprinted(text_part(address, kind, name=name), address)


def _not_stored(media_type: str, kind: Kind) -> str:
    return phrases.NOT_STORED.format(kind=shown_name(media_type) or kind)


def _placeholder(kind: Kind, encoded: str, media_type: str, name: str | None) -> Part:
    if not encoded:
        return Part(kind, _not_stored(media_type, kind), name)
    what = named(encoded, string(shown_name(media_type)), kind)
    part = Part(kind, what.words, name, size_bytes=what.size_bytes, truncated_chars=what.cut)
    return _fingerprinted(part, encoded)


def _fingerprinted(part: Part, stored: str) -> Part:
    digest = blake2b(stored.encode("utf-8", "surrogatepass"), digest_size=12).hexdigest()
    return replace(part, fingerprint=digest)


def medium(kind: Kind, fields: Fields, name: str | None = None) -> tuple[Part, ...]:
    """The image, audio or file that these fields describe, in the spelling of any API.

    They hold bytes, an address, the ID of a file, or an object with one of these. Takes the fields
    that describe it; the transcript of audio follows it.
    """
    held_in, inner = _inner(fields)
    media_type = fields.text(*_TYPES) or inner.text(*_TYPES)
    name = name or shown_name(inner.text(*_NAMES)) or shown_name(fields.text(*_NAMES))
    encoded = inner.text(*_BYTES) or fields.text(*_BYTES)
    address = inner.text(*_ADDRESSES) or fields.text(*_ADDRESSES)
    transcript = inner.text("transcript") or fields.text("transcript")
    reference = string(inner.peek("id")) or string(fields.peek("id"))
    fields.put(held_in, inner)
    whole = _whole_type(media_type, kind)
    if encoded or not address:
        part = media_part(kind, encoded, media_type=whole, name=name)
    else:
        part = address_part(kind, address, media_type=whole, name=name)
    if kind == "audio" and reference:
        part = replace(part, reference=reference)
    return (part, text_part(transcript)) if transcript else (part,)


def _inner(fields: Fields) -> tuple[str, Fields]:
    """The object that holds the bytes or the address of a medium, with its name."""
    for name in _HELD_IN:
        inner = fields.inner(name)
        if inner:
            deeper = inner.inner("s3Location")
            return name, Fields(inner.left() | deeper.left())
    return "", Fields({})


def _whole_type(media_type: str, kind: Kind) -> str:
    """The complete media type: some APIs send png instead of image/png.

    >>> _whole_type("wav", "audio"), _whole_type("application/pdf", "file"), _whole_type("", "file")
    ('audio/wav', 'application/pdf', '')
    """
    if not media_type or "/" in media_type or kind not in _KINDS:
        return media_type
    return f"{kind}/{media_type}"


def kind_of_type(media_type: str) -> Kind:
    """Is this the media type of an image, of audio or of another file?"""
    return _KINDS.get(media_type.split("/")[0], "file")


Reader = Callable[[object], tuple[Part, ...]]
_DOCUMENT_NAMES = ("title", "name", "filename", "id")


def document(fields: Fields, read: Reader) -> tuple[Part, ...]:
    """A document: a line that names it, then its text, or a placeholder for its bytes.

    `read` reads its content.
    """
    source = fields.inner("source", "document")
    words = _words(fields, source, read)
    context = fields.text("context")
    about = (text_part(context),) if context else ()
    if not words:
        fields.put("source", source)
        return (*medium("file", fields), *about)
    name = shown_name(fields.text(*_DOCUMENT_NAMES) or source.text(*_DOCUMENT_NAMES))
    media_type = shown_name(source.text("media_type", "format") or fields.text("format"))
    line = phrases.TEXT_BELOW.format(kind=media_type or "document")
    fields.put("source", source)
    return (Part("file", line, name), *about, *words)


def _words(fields: Fields, source: Fields, read: Reader) -> tuple[Part, ...]:
    """The text of a document, as text or blocks; none if it consists of bytes or is elsewhere."""
    if source.peek("type") == "text" or string(source.peek("media_type")).startswith("text/plain"):
        data = source.text("data")
        if data:
            return (text_part(data),)
    if isinstance(fields.peek("data"), dict):  # Cohere: an object with any fields
        return (json_part(fields.value("data")),)
    if isinstance(source.peek("data"), dict):
        return (json_part(source.value("data")),)
    text = source.value("content", "text") or fields.value("content", "text")
    return read(text)


def search_result(fields: Fields, read: Reader) -> tuple[Part, ...]:
    """A search result that the model received: its title and address, then its text."""
    title = shown_name(fields.text("title"))
    address = shown(fields.text("source")).text
    line = ", ".join(filter(None, (phrases.SEARCH_RESULT, address)))
    return (Part("file", line, title), *read(fields.value("content")))


def resource(fields: Fields) -> tuple[Part, ...]:
    """A resource of an MCP server: embedded text or bytes, or a link."""
    nested = fields.inner("resource")
    found = nested if nested else fields
    media_type, address = found.text("mimeType", "mime_type"), found.text("uri")
    name = shown_name(found.text("title", "name"))
    text, blob, about = found.text("text"), found.text("blob"), found.text("description")
    if nested:
        fields.put("resource", nested)
    note = (text_part(about),) if about else ()
    kind = kind_of_type(media_type)
    if blob:
        place = name or shown_name(address)
        return (media_part(kind, blob, media_type=media_type, name=place), *note)
    if text:
        known = (shown_name(media_type) or "resource", shown(address).text)
        line = phrases.TEXT_BELOW.format(kind=", ".join(filter(None, known)))
        return (Part("file", line, name), text_part(text), *note)
    words = address or phrases.NOT_STORED.format(kind="resource")
    return (text_part(words, kind, name=name), *note)
