"""What an answer refers to: citations and annotations of every API, as parts of their own."""

from collections.abc import Iterable, Iterator

from tracelib.conversation import wording
from tracelib.conversation.fields import Fields
from tracelib.conversation.json_values import array
from tracelib.conversation.messages import Part
from tracelib.conversation.texts import rest_parts, shown_name, text_part

# Beside each of these an annotation may hold its own fields in an object of the same name.
_NESTED = (
    *("url_citation", "file_citation", "container_file_citation", "file_path", "file"),
    *("web", "retrievedContext", "retrieved_context", "maps", "document", "place_citation"),
)
_TITLES = (
    *("title", "document_title", "documentTitle", "filename", "file_name", "name"),
    "displayName",
)
_ADDRESSES = ("url", "uri", "source", "document_uri", "domain")
_DATES = ("date", "page_age", "published_date", "last_updated")
_WORDS = ("cited_text", "citedText", "quote", "snippet", "text", "content")


def citations(value: object) -> tuple[Part, ...]:
    """The citations in this array, or arrays of them; each once, in order."""
    return tuple(dict.fromkeys(_all(value)))


def _all(value: object) -> Iterator[Part]:
    for entry in array(value):
        if isinstance(entry, list):
            yield from _all(entry)
        elif isinstance(entry, str) and entry:
            yield text_part(entry, "citation")
        elif isinstance(entry, dict):
            yield from citation(Fields(entry))


def citation(fields: Fields) -> tuple[Part, ...]:
    """The citation that these fields describe, with each of its sources; all else as data."""
    fields.drop("supported_text")  # the answer's own words
    sources = [part for source in fields.objects("sources") for part in _source(source)]
    for name in _NESTED:
        sources += [part for inner in fields.objects(name) for part in _source(inner)]
    own = _citation(fields, is_empty_wanted=not sources)
    return (*own, *sources, *rest_parts(fields))


def _source(fields: Fields) -> Iterable[Part]:
    inner = fields.inner("document", "tool_output")
    found = _citation(inner, is_empty_wanted=False) or _citation(fields, is_empty_wanted=True)
    return (*found, *rest_parts(inner), *rest_parts(fields))


def _citation(fields: Fields, *, is_empty_wanted: bool) -> tuple[Part, ...]:
    title = fields.text(*_TITLES)
    address = fields.text(*_ADDRESSES)
    lines = [address, fields.text(*_DATES), fields.text(*_WORDS), *_quoted(fields)]
    text = "\n".join(line for line in lines if line)
    if not (text or title):
        reference = fields.text("file_id", "fileId", "id") if is_empty_wanted else ""
        text = reference
    if not (text or title):
        return ()
    part = text_part(text, "citation", name=shown_name(title))
    return (part,)


def _quoted(fields: Fields) -> list[str]:
    """The words cited, as Bedrock has them: in pieces."""
    return [piece.text("text") for piece in fields.objects("sourceContent")]


def grounding(fields: Fields) -> tuple[Part, ...]:
    """What Gemini looked up for its answer: its searches as data, then the sources it found."""
    queries = [*fields.texts("webSearchQueries"), *fields.texts("retrievalQueries")]
    fields.drop("groundingSupports", "searchEntryPoint", "retrievalMetadata")
    found = citations(fields.entries("groundingChunks", "grounding_chunks"))
    searched = "\n".join(queries)
    asked = (text_part(searched, "data", name=wording.SEARCHED_FOR),) if searched else ()
    return (*asked, *found, *rest_parts(fields))
