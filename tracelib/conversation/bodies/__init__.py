"""The bodies of a row as messages, whatever API the request was sent to.

    request_messages   which messages does a request hold?
    response_messages  which messages does a response hold?
    chat               one message, in the spellings of the chat APIs
    parts              the parts of a message: texts, tool calls and results, media
    response_shapes    responses of other APIs; `streams` and `events` assemble streamed ones
    other_calls        calls without a conversation: embeddings, images, speech
    unknown_shapes     bodies of an unknown shape

Below them: `messages` defines the values, `fields` takes known fields out of an object so that the
rest can be shown too, and `phrases` holds the placeholders for what cannot be shown.
"""
