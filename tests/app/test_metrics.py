"""Metrics: every one that is promised is there, and none tells a sensor's name."""

from __future__ import annotations

import json

from prometheus_client import CollectorRegistry
from prometheus_client.exposition import generate_latest
from rig import Rig, batch, log

from hedgerow.app.service.metrics import WorkerMetrics
from hedgerow.app.service.state_metrics import StateCollector
from hedgerow.models import CityModel, Profile

PROMISED = (
    "hedgerow_messages_total", "hedgerow_readings_total", "hedgerow_predictions_total",
    "hedgerow_alerts_total", "hedgerow_dead_letters_total", "hedgerow_batch_messages",
    "hedgerow_stage_seconds_total", "hedgerow_consumer_lag", "hedgerow_checkpoint_seconds",
    "hedgerow_checkpoint_bytes_total", "hedgerow_series", "hedgerow_absolute_error",
    "hedgerow_skill", "hedgerow_interval_coverage", "hedgerow_regret", "hedgerow_expert_weight",
    "hedgerow_redis_up",
    "hedgerow_broker_up", "hedgerow_accounted", "hedgerow_refused_states_total",
    "hedgerow_outside_forecasts_total", "hedgerow_forwarded_forecasts_total",
    "hedgerow_last_reading_timestamp_seconds",
)  # fmt: skip


async def test_the_catalogue_is_complete_and_names_no_sensor() -> None:
    metrics = WorkerMetrics(CollectorRegistry())
    city = CityModel(profiles=(Profile("hourly", period_seconds=3600, bound_upper=22.5),))
    rig = Rig(city, meter=metrics)  # type: ignore[arg-type]
    metrics.registry.register(
        StateCollector(rig.holdings, lag_of=lambda _: 3, broker_up=lambda: True)
    )
    await rig.assign()
    readings = [
        json.dumps(
            {"sensor_id": "secret-street", "timestamp": 1_767_225_600 + 3600 * h, "value": h % 24}
        ).encode()
        for h in range(400)
    ]
    await rig.feed(batch(log([*readings, b"{", readings[-1]])))
    await rig.save()
    text = generate_latest(metrics.registry).decode()
    assert [name for name in PROMISED if f"\n{name}" not in text] == []
    assert "secret" not in text
    assert 'hedgerow_readings_total{outcome="learned"} 400.0' in text
    assert 'hedgerow_readings_total{outcome="duplicate"} 1.0' in text
    assert 'hedgerow_dead_letters_total{reason="json"} 1.0' in text
    last = 1_767_225_600 + 3600 * 399
    assert (
        f'hedgerow_last_reading_timestamp_seconds{{partition="0",topic="sensor-data"}} {last:.6e}'
        in text
    )
    assert 'hedgerow_skill{horizon="1",profile="hourly",reference="persistence"}' in text


async def test_reading_the_state_again_is_put_off() -> None:
    rig = Rig(CityModel(profiles=(Profile("hourly", period_seconds=3600),)))
    await rig.assign()
    now = [0.0]
    collector = StateCollector(
        rig.holdings, lag_of=lambda _: None, broker_up=lambda: False, clock=lambda: now[0]
    )

    def series() -> float:
        (family,) = [m for m in collector.collect() if m.name == "hedgerow_series"]
        return family.samples[0].value

    assert series() == 0
    await rig.feed(batch(log([b'{"sensor_id": "s", "timestamp": 0, "value": 1}'])))
    assert series() == 0
    now[0] = 11.0
    assert series() == 1
