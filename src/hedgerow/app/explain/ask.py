"""From the name of a series to the forecast that is asked for: state, log after it, alerts.

Before: ``hedgerow explain`` was told what to explain. After: ``tell`` puts it into words. Nothing
is written anywhere, and workers may go on meanwhile.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from hedgerow.agents.ports import Partition, Stored
from hedgerow.app.broker.readings_log import describe_log
from hedgerow.app.broker.spans import Span, SpanReader, spans
from hedgerow.app.broker.tail import Tail
from hedgerow.app.broker.topic_admin import admin_client, existing_topics
from hedgerow.app.city import city_model, input_limits
from hedgerow.app.errors import AppError
from hedgerow.app.explain.replay import Episode, Found, SeriesReplay
from hedgerow.app.settings import Settings
from hedgerow.app.state.admin import state_admin
from hedgerow.app.state.kept import KeptStates
from hedgerow.app.state.look import Where, find_series
from hedgerow.models import EMPTY, Learner, series_key
from hedgerow.models.explanation.explain import NothingToExplain
from hedgerow.models.registry import CHUNK as REGISTRY
from hedgerow.models.snapshot.restore import stored_registry
from hedgerow.topics import RecordError, decode_alert, episode_id, format_time

MUCH = 2**62  # an offset beyond every log
Show = Callable[[float, int], None]  # told the share read and the messages


class NotExplained(AppError):
    """What is asked for cannot be explained; the sentence says what can."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What was found, and from what.

    Attributes
    ----------
    generation : int or None
        Of the state it began with; ``None`` where the log was read from its beginning.
    first, end : int
        The offsets that were read after that.
    notes : tuple of str
        What the reader should know, in sentences.
    """

    partition: Partition
    generation: int | None
    first: int
    end: int
    found: Found
    notes: tuple[str, ...]


async def explain_series(
    settings: Settings, key: str, *, at_ms: int | None, from_start: bool, show: Show
) -> Answer:
    """Explain the newest forecast of a series, or the newest one up to a time.

    Raises
    ------
    NotExplained
        If there is none, or no kept state lies before it.
    """
    async with state_admin(settings) as admin:
        topic, broker = settings.topics.readings, admin_client(settings.kafka)
        await asyncio.to_thread(existing_topics, broker, settings.kafka)  # or says why none answers
        log = await asyncio.to_thread(describe_log, broker, topic)
        where = await find_series(settings, admin.store, await admin.partitions(), key)
        span = spans(settings.kafka, [where.partition])[where.partition]
        asked = _Question(settings, where, span, at_ms, show)
        if from_start:
            newest = await admin.store.peek(where.partition, ("meta", REGISTRY))
            registry = EMPTY if newest is None else stored_registry(newest.chunks)
            limit = settings.input.max_series
            learner = Learner(city_model(settings), max_series=limit, registry=registry)
            return await _read(asked, None, learner)
        passed_ms: int | None = None
        near: tuple[Stored, Learner] | None = None
        kept = KeptStates(settings, admin.store, log)
        async for stored, learner in kept.walk(where.partition):
            replay = SeriesReplay(learner, where.name, input_limits(settings), at_ms)
            passed_ms = replay.passed_ms
            if at_ms is None or passed_ms is None or replay.surely_by_ms <= at_ms:
                return await _read(asked, stored, learner)
            if passed_ms <= at_ms:  # its reading may be later than its slot's grid point
                near = near or (stored, learner)
        if near is not None:
            return await _read(asked, *near)
    raise NotExplained(_too_early(key, at_ms, passed_ms, span))


def _too_early(key: str, at_ms: int | None, passed_ms: int | None, span: Span) -> str:
    if at_ms is None or passed_ms is None:
        return f"nothing is stored of {key!r} any more; it was forgotten meanwhile"
    whole = "" if span.earliest == 0 else (
        f" (Kafka holds it from offset {span.earliest:,} on: what is learned from there is near "
        "to what was published, not the same)"
    )  # fmt: skip
    return (
        f"every kept state of {key!r} has passed {format_time(at_ms)}: the oldest has its reading "
        f"of {format_time(passed_ms)}. A time from there on can be explained at once; with "
        f"--from-start the partition is learned anew from the log, up to that time{whole}"
    )


@dataclass(frozen=True, slots=True)
class _Question:
    """What is asked, and what Kafka holds of the partition."""

    settings: Settings
    where: Where
    span: Span
    at_ms: int | None
    show: Show


async def _read(asked: _Question, stored: Stored | None, learner: Learner) -> Answer:
    """Step the log on from a state, as far as is asked."""
    settings, where, span, at_ms = asked.settings, asked.where, asked.span, asked.at_ms
    due = span.earliest if stored is None else stored.next_offset
    first = max(due, span.earliest)
    notes = list(learner.notes)
    if stored is None and first > 0:
        notes.append(
            f"Kafka holds {where.partition} from offset {first:,} on: what was learned before is "
            "missing, and this may differ from what was published"
        )
    elif first > due:
        notes.append(
            f"Kafka no longer holds offsets {due:,} to {first - 1:,}, which come after the stored "
            "state: this is explained without them"
        )
    replay = SeriesReplay(learner, where.name, input_limits(settings), at_ms)
    end = await asyncio.to_thread(_feed, asked, replay, first)
    try:
        found = replay.found()
    except NothingToExplain as error:
        until = "" if at_ms is None else f" at {format_time(at_ms)}"
        raise NotExplained(f"{error}{until}") from None
    if any(one.message is None for one in found.episodes):
        key = series_key(*where.name)
        messages = await asyncio.to_thread(_messages, settings, where, key, found.episodes)
        found = replace(found, episodes=_with(found.episodes, messages))
    generation = None if stored is None else stored.generation
    return Answer(where.partition, generation, first, end, found, tuple(notes))


def _feed(asked: _Question, replay: SeriesReplay, first: int) -> int:
    """Step the log from an offset to its end, or as far as is asked; return where that is.

    The end is where a fetch finds it: asked for its latest offset, the embedded broker gives the
    first of its last batch, plus one.
    """
    partition, due, done = asked.where.partition, first, 0
    ahead = max(1, asked.span.end - first)
    with SpanReader(asked.settings.kafka, {partition: Span(first, MUCH)}) as reader:
        while not reader.finished:
            messages = reader.read().get(partition)
            if not messages:
                continue
            if replay.feed(messages):
                break
            due, done = messages[-1].offset + 1, done + len(messages)
            asked.show(min(1.0, (due - first) / ahead), done)
    return due


def _messages(
    settings: Settings, where: Where, key: str, episodes: Sequence[Episode]
) -> Mapping[str, str]:
    """Look up what the alerts said that opened these episodes, as far as they are kept."""
    topic, number = where.partition.topic, where.partition.number
    wanted = {
        episode_id(topic, number, one.stands.opening_offset, key, one.stands.kind): one.stands.kind
        for one in episodes
        if one.message is None
    }
    found: dict[str, str] = {}
    with Tail(settings.kafka, settings.topics.alerts, from_beginning=True, follow=False) as tail:
        for value in tail.values():
            try:
                alert = decode_alert(value)
            except RecordError:
                continue
            if alert.episode in wanted and alert.state == "open":
                found[wanted[alert.episode]] = alert.message
                if len(found) == len(wanted):
                    break
    return found


def _with(episodes: Sequence[Episode], messages: Mapping[str, str]) -> tuple[Episode, ...]:
    return tuple(
        one if one.message else replace(one, message=messages.get(one.stands.kind))
        for one in episodes
    )
