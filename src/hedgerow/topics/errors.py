"""What the contract with the world may raise: one tree, rooted in `TopicError`.

Input never raises: a message that cannot be used becomes a `hedgerow.topics.messages.Failure`.
These are for our own records, topic names and times.
"""


class TopicError(Exception):
    """Root of what ``hedgerow.topics`` raises."""


class CatalogueError(TopicError):
    """The topics cannot be made as named: a name is illegal or used twice."""


class RecordError(TopicError):
    """Bytes on one of our topics are not the record that belongs there."""


class TimestampError(TopicError):
    """A text is no ISO 8601 time, or a time lies outside the years that can be written."""
