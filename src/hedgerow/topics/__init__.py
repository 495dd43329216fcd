"""The contract with the world: the catalogue of topics, the record types, the codecs."""

from hedgerow.topics.catalogue import Catalogue, TopicNames, TopicSpec, catalogue
from hedgerow.topics.codec import ReadingDecoder
from hedgerow.topics.dead_letters import DeadLetter, dead_letter
from hedgerow.topics.encode import (
    decode_alert,
    decode_prediction,
    encode_record,
    make_alert,
)
from hedgerow.topics.errors import CatalogueError, RecordError, TimestampError, TopicError
from hedgerow.topics.identity import alert_id, episode_id, prediction_id, series_key, source_of
from hedgerow.topics.messages import DecodedBatch, Failure, Limits, Message, Reason
from hedgerow.topics.records import (
    Alert,
    ExpertShare,
    Explanation,
    Forecast,
    InputShare,
    OutsideForecast,
    Prediction,
    Reading,
)
from hedgerow.topics.sensors import Sensor, decode_sensor, encode_sensor
from hedgerow.topics.timestamps import epoch_time, format_time, parse_time

__all__ = [
    "Alert",
    "Catalogue",
    "CatalogueError",
    "DeadLetter",
    "DecodedBatch",
    "ExpertShare",
    "Explanation",
    "Failure",
    "Forecast",
    "InputShare",
    "Limits",
    "Message",
    "OutsideForecast",
    "Prediction",
    "Reading",
    "ReadingDecoder",
    "Reason",
    "RecordError",
    "Sensor",
    "TimestampError",
    "TopicError",
    "TopicNames",
    "TopicSpec",
    "alert_id",
    "catalogue",
    "dead_letter",
    "decode_alert",
    "decode_prediction",
    "decode_sensor",
    "encode_record",
    "encode_sensor",
    "episode_id",
    "epoch_time",
    "format_time",
    "make_alert",
    "parse_time",
    "prediction_id",
    "series_key",
    "source_of",
]
