"""Documents in a message: their names, and their words where they were sent as words."""

from collections.abc import Callable

from tracelib.conversation import wording
from tracelib.conversation.fields import Fields
from tracelib.conversation.json_values import string
from tracelib.conversation.media import kind_of_type, media_part, medium
from tracelib.conversation.messages import Part
from tracelib.conversation.texts import json_part, shown, shown_name, text_part

Reader = Callable[[object], tuple[Part, ...]]
_DOCUMENT_NAMES = ("title", "name", "filename", "id")


def document(fields: Fields, read: Reader) -> tuple[Part, ...]:
    """A document: a line that names it, then its own words; or a placeholder for its bytes.

    `read` reads content within it.
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
    line = wording.TEXT_BELOW.format(kind=media_type or "document")
    fields.put("source", source)
    return (Part("file", line, name), *about, *words)


def _words(fields: Fields, source: Fields, read: Reader) -> tuple[Part, ...]:
    """The document's own words, as text or blocks; none where it is of bytes or elsewhere."""
    if source.peek("type") == "text" or string(source.peek("media_type")).startswith("text/plain"):
        data = source.text("data")
        if data:
            return (text_part(data),)
    if isinstance(fields.peek("data"), dict):  # Cohere: an object of any fields
        return (json_part(fields.value("data")),)
    if isinstance(source.peek("data"), dict):
        return (json_part(source.value("data")),)
    text = source.value("content", "text") or fields.value("content", "text")
    return read(text)


def search_result(fields: Fields, read: Reader) -> tuple[Part, ...]:
    """A search result that was given to the model: its title and address, then its words."""
    title = shown_name(fields.text("title"))
    address = shown(fields.text("source")).text
    line = ", ".join(filter(None, (wording.SEARCH_RESULT, address)))
    return (Part("file", line, title), *read(fields.value("content")))


def resource(fields: Fields) -> tuple[Part, ...]:
    """A resource of an MCP server: embedded words or bytes, or a link to it."""
    nested = fields.inner("resource")
    found = nested if nested else fields
    media_type, address = found.text("mimeType", "mime_type"), found.text("uri")
    name = shown_name(found.text("title", "name"))
    text, blob, about = found.text("text"), found.text("blob"), found.text("description")
    if nested:
        fields.put("resource", nested)
    told = (text_part(about),) if about else ()
    kind = kind_of_type(media_type)
    if blob:
        place = name or shown_name(address)
        return (media_part(kind, blob, media_type=media_type, name=place), *told)
    if text:
        known = (shown_name(media_type) or "resource", shown(address).text)
        line = wording.TEXT_BELOW.format(kind=", ".join(filter(None, known)))
        return (Part("file", line, name), text_part(text), *told)
    words = address or wording.NOT_STORED.format(kind="resource")
    return (text_part(words, kind, name=name), *told)
