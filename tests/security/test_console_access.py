"""A worker's login reads no outputs; the console says so, and goes on once it may."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest
from aiohttp import ClientSession
from confluent_kafka.admin import AclOperation, NewTopic, ResourceType
from prometheus_client import CollectorRegistry
from security.identity_provider import IdentityProvider
from security.secrets import PASSWORD, leaks
from security.secure_kafka import SecureKafka, right
from security.ways import KAFKA, Place, by_password

from hedgerow.app.console.routes import Console
from hedgerow.app.console.views import Worker
from hedgerow.app.service.http import HttpServer
from hedgerow.app.settings import Settings, load_settings
from hedgerow.models import SeriesScore

pytestmark = pytest.mark.kafka

LOOKER = "looker"
OUTPUTS = {"PREDICTIONS": "seen.predictions", "ALERTS": "seen.alerts", "DEAD_LETTERS": "seen.dead"}


class Nothing:
    """A worker that holds no partition."""

    def facts(self) -> Worker:
        return Worker([], 0, None, 0, None, None)

    def scores(self, sensor_id: str, quantity: str) -> list[SeriesScore]:
        return []


@pytest.fixture
def settings(
    secure_kafka: SecureKafka,
    provider: IdentityProvider,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Settings:
    """Topics that a user may write, as a worker may, and not read."""
    fresh = [NewTopic(name, 1, 1) for name in OUTPUTS.values()]
    for future in secure_kafka.admin.create_topics(fresh).values():
        future.result(20)
    secure_kafka.set_password(LOOKER, PASSWORD)
    secure_kafka.allow(
        right(LOOKER, AclOperation.WRITE, ResourceType.TOPIC, name) for name in OUTPUTS.values()
    )
    way = by_password(Place(secure_kafka, provider, tmp_path), "SCRAM-SHA-256")
    given = {
        **way,
        f"{KAFKA}SASL__USERNAME": LOOKER,
        "HEDGEROW_HTTP__PORT": "0",
        "HEDGEROW_HTTP__CONSOLE": "true",
        **{f"HEDGEROW_TOPICS__{role}": name for role, name in OUTPUTS.items()},
    }
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    return load_settings()


async def trouble(session: ClientSession, url: str) -> str | None:
    """Return what the page says is wrong, once the topics have been opened."""
    start = "event: health\ndata: "
    async with session.get(f"{url}/console/live") as live, asyncio.timeout(30):
        while block := (await live.content.readuntil(b"\n\n")).decode():
            if block.startswith(start):
                told: str | None = json.loads(block.removeprefix(start))["trouble"]
                if told != "the topics are being opened":
                    return told
    raise AssertionError("the stream ended")


async def test_the_console_names_the_right_that_is_missing_and_goes_on_once_it_is_given(
    settings: Settings, secure_kafka: SecureKafka
) -> None:
    console = Console(settings, Nothing())
    server = HttpServer(
        settings.http, registry=CollectorRegistry(), not_ready=lambda: None, page=console
    )
    host, port = await server.start()
    url = f"http://{host}:{port}"
    try:
        async with ClientSession() as session:
            before = secure_kafka.refusals
            told = await trouble(session, url)
            assert told is not None
            for name in OUTPUTS.values():
                line = f"--add --allow-principal User:{LOOKER} --operation Read --topic {name}"
                assert line in told
            assert leaks(told) == []
            assert secure_kafka.refusals == before, "the login itself is not refused"
            secure_kafka.allow(
                right(LOOKER, AclOperation.READ, ResourceType.TOPIC, name)
                for name in OUTPUTS.values()
            )
            async with asyncio.timeout(60):
                while await trouble(session, url) is not None:
                    await asyncio.sleep(0.5)
    finally:
        await server.stop()
