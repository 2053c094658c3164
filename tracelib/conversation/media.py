"""Images, sounds and files in a message: what they were, never their bytes."""

from collections.abc import Mapping
from dataclasses import replace
from hashlib import blake2b

from tracelib.conversation.json_values import mapping, string
from tracelib.conversation.markers import is_redacted, without_cuts
from tracelib.conversation.messages import Kind, Part
from tracelib.conversation.texts import printable, text_part

_LONGEST_HEADER = 200  # of a data: URL, before its comma


def media_part(
    kind: Kind, content: object, *, media_type: str = "", name: str | None = None
) -> Part:
    """The part that stands for an image, a sound or a file.

    `content` is a web address (shown as it is), a `data:` URL or bare base64 (shown as media
    type and size), or nothing at all.
    """
    stored = string(content)
    head = stored[:_LONGEST_HEADER]
    if head.startswith("data:") and "," in head:
        header, _, encoded = stored.partition(",")
        media_type = header.removeprefix("data:").split(";")[0] or media_type
        return _placeholder(kind, encoded, media_type or kind, name)
    if "://" in head[:20] or is_redacted(stored):
        return _fingerprinted(text_part(stored, kind, name=name), stored)
    return _placeholder(kind, stored, media_type or kind, name)


def _placeholder(kind: Kind, encoded: str, media_type: str, name: str | None) -> Part:
    if not encoded:
        return Part(kind, f"{printable(media_type)}, not stored", name)
    cut = without_cuts(encoded)[1]
    size = _decoded_size(encoded) if not cut else _cut_size(encoded, cut)
    words = [printable(media_type), size_words(size)] + (["stored cut"] if cut else [])
    part = Part(kind, ", ".join(words), name, size_bytes=size, truncated_chars=cut)
    return _fingerprinted(part, encoded)


def _decoded_size(encoded: str) -> int:
    return len(encoded.rstrip("=")) * 3 // 4


def _cut_size(encoded: str, cut: int) -> int:
    mark = encoded.find("... (")
    end = encoded.find(") ...", mark)
    kept = mark if end < 0 else mark + len(encoded) - end - len(") ...")
    return (kept + cut) * 3 // 4


def _fingerprinted(part: Part, stored: str) -> Part:
    digest = blake2b(stored.encode("utf-8", "surrogatepass"), digest_size=12).hexdigest()
    return Part(
        part.kind,
        part.text,
        part.name,
        size_bytes=part.size_bytes,
        truncated_chars=part.truncated_chars,
        is_redacted=part.is_redacted,
        fingerprint=digest,
    )


def size_words(size_bytes: int) -> str:
    """A size as words.

    >>> size_words(812), size_words(12_400), size_words(3_200_000)
    ('812 B', '12.4 kB', '3.2 MB')
    """
    if size_bytes < 1000:
        return f"{size_bytes} B"
    if size_bytes < 1_000_000:
        return f"{size_bytes / 1000:.1f} kB"
    return f"{size_bytes / 1_000_000:.1f} MB"


def image(block: Mapping[str, object]) -> tuple[Part, ...]:
    """An image block of chat completions, Anthropic or Responses."""
    source = mapping(block.get("source"))
    if source:
        content = source.get("data") or source.get("url") or source.get("file_id")
        return (media_part("image", content, media_type=string(source.get("media_type"))),)
    found = block.get("image_url")
    url = found if isinstance(found, str) else mapping(found).get("url")
    if not url and block.get("file_id"):
        return (text_part(string(block.get("file_id")), "image"),)
    return (media_part("image", url),)


def audio(block: Mapping[str, object]) -> tuple[Part, ...]:
    """A sound block, its transcript after it where there is one."""
    sound = mapping(block.get("input_audio")) or mapping(block.get("audio")) or block
    form = string(sound.get("format"))
    part = media_part("audio", sound.get("data"), media_type=f"audio/{form}" if form else "")
    part = replace(part, reference=string(sound.get("id")) or None)
    transcript = string(sound.get("transcript"))
    return (part, text_part(transcript)) if transcript else (part,)


def file(block: Mapping[str, object]) -> tuple[Part, ...]:
    """A file block: an Anthropic document's own text, or a placeholder."""
    source = mapping(block.get("source"))
    inner = mapping(block.get("file")) or block
    found = string(inner.get("filename")) or string(block.get("title"))
    name = printable(found) or None
    if source.get("type") == "text":
        text = string(source.get("data"))
        words = f"{printable(string(source.get('media_type')) or 'text')}, its text below"
        return (Part("file", words, name), text_part(text))
    content = source.get("data") or source.get("url") or inner.get("file_data")
    if content:
        media_type = string(source.get("media_type"))
        return (media_part("file", content, media_type=media_type, name=name),)
    reference = string(inner.get("file_url")) or string(inner.get("file_id"))
    return (text_part(reference or "file, not stored", "file", name=name),)
