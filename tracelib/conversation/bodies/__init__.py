"""The bodies of a row as messages, whatever API the request was sent to.

    asked          which messages does a request hold?
    answers        which messages does a response hold?
    chat           one message, in the spellings of the chat APIs
    parts          the parts of a message: texts, tool calls and results, media
    answer_shapes  responses of other APIs; `streams` and `events` assemble streamed ones
    single         calls without a conversation: embeddings, images, speech
    unknown        bodies of an unknown shape

Below them: `messages` defines the values, `fields` takes known fields out of an object so that the
rest can be shown too, and `wording` holds the placeholders for what cannot be shown.
"""
