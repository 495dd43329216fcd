"""Metrics: every one that is promised is there, and none tells a sensor's name."""

from __future__ import annotations

import json

from prometheus_client import CollectorRegistry
from prometheus_client.exposition import generate_latest
from rig import Rig, batch, log

from hedgerow.app.service.metric_catalogue import CATALOGUE
from hedgerow.app.service.metrics import WorkerMetrics
from hedgerow.app.service.state_metrics import StateCollector
from hedgerow.models import CityModel, Profile


async def test_the_catalogue_is_complete_and_names_no_sensor() -> None:
    metrics = WorkerMetrics(CollectorRegistry())
    city = CityModel(profiles=(Profile("hourly", period_seconds=3600, bound_upper=22.5),))
    rig = Rig(city, meter=metrics)  # type: ignore[arg-type]
    metrics.registry.register(
        StateCollector(
            rig.holdings,
            lag_of=lambda _: 3,
            broker_up=lambda: True,
            topic="sensor-data",
            topic_partitions=8,
            interval_seconds=30.0,
        )
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
    offered = {
        sample.name
        for family in metrics.registry.collect()
        for sample in family.samples
        if not sample.name.endswith("_created")
    }
    promised = {name for described in CATALOGUE for name in described.exposed}
    assert offered == promised
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
    assert 'hedgerow_interval_level{profile="hourly"} 0.9' in text
    assert 'hedgerow_open_alerts{kind="bound"} 0.0' in text
    assert 'hedgerow_topic_partitions{topic="sensor-data"} 8.0' in text


async def test_what_may_happen_is_shown_as_0_before_it_does() -> None:
    text = generate_latest(WorkerMetrics(CollectorRegistry()).registry).decode()
    for metric in (
        'hedgerow_checkpoints_total{outcome="fenced"}',
        'hedgerow_refused_states_total{reason="tampered"}',
        'hedgerow_incidents_total{kind="rollback"}',
        'hedgerow_alerts_total{kind="silent",state="open"}',
        'hedgerow_dead_letters_total{reason="json"}',
    ):
        assert f"{metric} 0.0" in text


async def test_a_partition_tells_when_the_store_last_held_what_it_holds() -> None:
    rig = Rig(CityModel(profiles=(Profile("hourly", period_seconds=3600),)))
    collector = StateCollector(
        rig.holdings, lag_of=lambda _: None, broker_up=lambda: True,
        topic="sensor-data", topic_partitions=1, interval_seconds=30.0,
        clock=rig.clock.monotonic, wall_clock=lambda: 1_800_000_000.0 + rig.clock.now,
    )  # fmt: skip

    def stored_at() -> float:
        (family,) = [
            m for m in collector.collect() if m.name == "hedgerow_last_checkpoint_timestamp_seconds"
        ]
        (sample,) = family.samples
        return sample.value - 1_800_000_000.0

    rig.clock.now = 5.0
    await rig.assign()
    assert stored_at() == 5.0  # nothing is there, and nothing has been learned

    rig.clock.now = 20.0
    await rig.feed(batch(log([b'{"sensor_id": "s", "timestamp": 0, "value": 1}'])))
    await rig.save()
    assert stored_at() == 20.0

    rig.store.full = True
    rig.clock.now = 40.0
    await rig.feed(batch(log([b"1", b'{"sensor_id": "s", "timestamp": 3600, "value": 1}'])[1:]))
    await rig.save()
    assert stored_at() == 20.0  # learned since, and not stored

    rig.store.full = False
    await rig.save()
    assert stored_at() == 40.0

    rig.clock.now = 60.0
    await rig.save()
    assert stored_at() == 60.0  # no news: it asked whether what was written still stands


async def test_reading_much_state_is_put_off_for_longer() -> None:
    rig = Rig(CityModel(profiles=(Profile("hourly", period_seconds=3600),)))
    await rig.assign()
    ticks = iter([0.0, 0.0, 0.4, 20.0, 20.0, 41.0, 41.0, 41.0])
    collector = StateCollector(
        rig.holdings, lag_of=lambda _: None, broker_up=lambda: True,
        topic="sensor-data", topic_partitions=1, interval_seconds=30.0,
        clock=lambda: next(ticks),
    )  # fmt: skip

    def series() -> float:
        (family,) = [m for m in collector.collect() if m.name == "hedgerow_series"]
        return family.samples[0].value

    assert series() == 0  # took 0.4 s
    await rig.feed(batch(log([b'{"sensor_id": "s", "timestamp": 0, "value": 1}'])))
    assert series() == 0  # 20 s later
    assert series() == 1  # 41 s later


async def test_reading_the_state_again_is_put_off() -> None:
    rig = Rig(CityModel(profiles=(Profile("hourly", period_seconds=3600),)))
    await rig.assign()
    now = [0.0]
    collector = StateCollector(
        rig.holdings,
        lag_of=lambda _: None,
        broker_up=lambda: False,
        topic="sensor-data",
        topic_partitions=8,
        interval_seconds=30.0,
        clock=lambda: now[0],
        wall_clock=lambda: 1_800_000_000.0 + now[0],
    )

    def series() -> float:
        (family,) = [m for m in collector.collect() if m.name == "hedgerow_series"]
        return family.samples[0].value

    assert series() == 0
    await rig.feed(batch(log([b'{"sensor_id": "s", "timestamp": 0, "value": 1}'])))
    assert series() == 0
    now[0] = 11.0
    assert series() == 1
