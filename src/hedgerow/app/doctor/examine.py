"""Looks at everything a worker leans on and says what to do about what is wrong.

Nothing is changed: the one key written to Redis, to see whether writing works, removes itself.
"""

from __future__ import annotations

import platform
import time
from collections.abc import Generator, Iterator
from datetime import datetime
from importlib import metadata
from zoneinfo import ZoneInfo

from confluent_kafka.admin import AdminClient
from redis import Redis
from redis.exceptions import RedisError

from hedgerow.app.access.checks import http_port, kafka_login, kafka_permissions, kafka_trust
from hedgerow.app.access.reach import why_no_redis
from hedgerow.app.access.redis import refusal
from hedgerow.app.access.stores import connect_one
from hedgerow.app.broker.topic_admin import admin_client, existing_topics, topic_catalogue
from hedgerow.app.broker.topic_check import find_topic
from hedgerow.app.city import city_model
from hedgerow.app.doctor.check import Check, Status
from hedgerow.app.doctor.log import examine_log
from hedgerow.app.doctor.profiles import shadowed
from hedgerow.app.errors import AccessRefused, AppError, BrokerUnavailable, SettingsError
from hedgerow.app.registry.table import read_table
from hedgerow.app.settings import Settings
from hedgerow.app.state.keys import doctor_key
from hedgerow.topics import TopicSpec

OLDEST_REDIS = (6, 2)
SKEW_WARN_SECONDS = 2.0
SKEW_FAIL_SECONDS = 60.0
LIBRARIES = ("faust-streaming", "aiokafka", "confluent-kafka", "redis", "river", "numba", "numpy")


def examine(settings: Settings) -> Iterator[Check]:
    """Check one thing after the other, the most basic first."""
    yield _libraries()
    yield from _city(settings)
    broker = yield from _broker(settings)
    store = yield from _redis(settings)
    if broker and store:
        yield from examine_log(settings)
    yield http_port(settings.http)


def _libraries() -> Check:
    versions = [f"Python {platform.python_version()}"]
    missing = []
    for name in ("hedgerow", *LIBRARIES):
        try:
            versions.append(f"{name} {metadata.version(name)}")
        except metadata.PackageNotFoundError:
            missing.append(name)
    found = ", ".join(versions)
    if missing:
        advice = f"not installed: {', '.join(missing)}; run pip install hedgerow again"
        return Check("versions", Status.FAIL, found, advice)
    return Check("versions", Status.OK, found)


def _city(settings: Settings) -> Iterator[Check]:
    try:
        profiles = city_model(settings).profiles
    except SettingsError as error:
        yield Check("profiles", Status.FAIL, str(error), "correct it in city.toml")
    else:
        names = ", ".join(profile.name for profile in profiles)
        useless = [f"{name!r} (by {by!r})" for name, by in shadowed(profiles)]
        if useless:
            found = f"{names}; all that these match is taken before them: {', '.join(useless)}"
            advice = "the first that matches takes a series: put the narrower profile first"
            yield Check("profiles", Status.WARN, found, advice)
        else:
            yield Check("profiles", Status.OK, names)
    zone = settings.timezone
    now = datetime.now(ZoneInfo(zone))
    found = f"{zone}, where it is {now:%H:%M}"
    if zone == "UTC":
        advice = "if the city is elsewhere, set timezone: daily patterns follow its clock"
        yield Check("time zone", Status.OK, found, advice)
    else:
        yield Check("time zone", Status.OK, found)


def _broker(settings: Settings) -> Generator[Check, None, bool]:
    """Return whether a broker let us in: no other check knocks again where it did not."""
    try:
        trust = list(kafka_trust(settings.kafka))
        yield from trust
        if any(check.status is Status.FAIL for check in trust):
            return False
        admin = admin_client(settings.kafka)
        began = time.perf_counter()
        existing = existing_topics(admin, settings.kafka)
    except BrokerUnavailable as error:
        yield Check("broker", Status.FAIL, str(error), "start it, or correct the address")
        return False
    except AccessRefused as error:
        yield Check("kafka login", Status.FAIL, str(error), "see docs/security.md, Logins")
        return False
    except SettingsError as error:
        yield Check("kafka tls", Status.FAIL, str(error), "correct the settings kafka.tls")
        return False
    took = (time.perf_counter() - began) * 1000
    address = settings.kafka.bootstrap_servers
    yield Check("broker", Status.OK, f"{address} answered in {took:.0f} ms")
    yield kafka_login(settings.kafka)
    yield kafka_permissions(admin, settings)
    for spec in topic_catalogue(settings):
        yield _topic(settings, admin, spec, existing)
    if settings.topics.sensor_registry in existing:
        yield _registry(settings)
    return True


def _topic(
    settings: Settings, admin: AdminClient, spec: TopicSpec, existing: dict[str, int]
) -> Check:
    name = f"topic {spec.name}"
    found = find_topic(admin, spec, existing)
    if not found.partitions:
        status = Status.WARN if settings.topics.create else Status.FAIL
        return Check(name, status, "does not exist", "run `hedgerow topics create`")
    if found.differences:
        how = f"alter it with Kafka's own tools (--alter --topic {spec.name})"
        return Check(name, Status.WARN, str(found), "; ".join((*found.differences, how)))
    return Check(name, Status.OK, str(found))


def _registry(settings: Settings) -> Check:
    try:
        table = read_table(settings)
    except AppError as error:
        advice = "workers keep to what was declared before until it can be read"
        return Check("registry", Status.WARN, str(error), advice)
    found = f"{len(table.sensors):,} sensors"
    if table.refused:
        first = next(iter(table.refused.values()))
        what = f"{found}; {len(table.refused)} records are refused, such as: {first}"
        return Check("registry", Status.WARN, what, "correct them; see docs/sensor-registry.md")
    return Check("registry", Status.OK, found)


def _redis(settings: Settings) -> Generator[Check, None, bool]:
    """Return whether Redis let us in."""
    advice = "start it, or set redis.url (HEDGEROW_REDIS__URL)"
    try:
        client = connect_one(settings.redis, decode_responses=True)
    except (RedisError, OSError) as error:  # a cluster is asked for its nodes at once
        yield Check("redis", Status.FAIL, f"does not answer: {why_no_redis(error)}", advice)
        return False
    with client:
        try:
            info: dict[str, str | int] = client.info()
        except (RedisError, OSError) as error:
            sentence = refusal(error)
            if sentence is not None:
                advice = "see docs/security.md, Redis"
                yield Check("redis access", Status.FAIL, sentence, advice)
                return False
            yield Check("redis", Status.FAIL, f"does not answer: {why_no_redis(error)}", advice)
            return False
        yield _redis_version(info)
        yield _redis_writable(client, settings.redis.prefix)
        yield _redis_persistence(client, info)
        yield _redis_memory(info)
        yield _clock(client)
    return True


def _redis_version(info: dict[str, str | int]) -> Check:
    version = str(info.get("redis_version", "0"))
    if tuple(int(part) for part in version.split(".")[:2]) < OLDEST_REDIS:
        advice = f"upgrade to {'.'.join(map(str, OLDEST_REDIS))} or later"
        return Check("redis", Status.FAIL, f"version {version}", advice)
    return Check("redis", Status.OK, f"version {version}, role {info.get('role', 'unknown')}")


def _redis_writable(client: Redis, prefix: str) -> Check:
    try:
        write = client.register_script("return redis.call('SET', KEYS[1], '1', 'PX', '1000')")
        write(keys=[doctor_key(prefix)])
    except RedisError as error:
        advice = "a worker must write and run scripts: a primary, and the user of docs/security.md"
        return Check("redis writes", Status.FAIL, str(error), advice)
    return Check("redis writes", Status.OK, "a key was written by a script")


def _redis_persistence(client: Redis, info: dict[str, str | int]) -> Check:
    name = "redis persistence"
    if info.get("aof_enabled"):
        if info.get("aof_last_write_status") != "ok":
            return Check(name, Status.FAIL, "append-only file: the last write failed", "free disk")
        return Check(name, Status.OK, "append-only file")
    try:
        schedule = client.config_get("save").get("save", "")
    except RedisError:
        schedule = ""  # a hosted Redis does not tell
    advice = "set appendonly yes: after a crash of Redis, workers learn again from what is left"
    found = f"snapshots only ({schedule})" if schedule else "none that can be seen"
    return Check(name, Status.WARN, found, advice)


def _redis_memory(info: dict[str, str | int]) -> Check:
    limit, policy = int(info.get("maxmemory", 0)), str(info.get("maxmemory_policy", "unknown"))
    used = int(info.get("used_memory", 0))
    found = f"{used / 2**20:.0f} MB used of {f'{limit / 2**20:.0f} MB' if limit else 'no limit'}"
    advice = "set maxmemory-policy noeviction: evicting a chunk destroys a snapshot"
    if policy.startswith("allkeys"):
        return Check("redis memory", Status.FAIL, f"{found}, policy {policy}", advice)
    if policy not in {"noeviction", "unknown"}:  # ours never expire, but one policy is right
        return Check("redis memory", Status.WARN, f"{found}, policy {policy}", advice)
    return Check("redis memory", Status.OK, f"{found}, policy {policy}")


def _clock(client: Redis) -> Check:
    before = time.time()
    seconds, micros = client.time()
    after = time.time()
    skew = (seconds + micros / 1e6) - (before + after) / 2
    found = f"Redis is {abs(skew):.2f} s {'ahead of' if skew > 0 else 'behind'} this machine"
    if abs(skew) > SKEW_FAIL_SECONDS:
        return Check("clock", Status.FAIL, found, "set both clocks by NTP")
    if abs(skew) > SKEW_WARN_SECONDS:
        return Check("clock", Status.WARN, found, "set both clocks by NTP")
    return Check("clock", Status.OK, found)
