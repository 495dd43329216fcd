"""``hedgerow topics``: make the topics of the catalogue, and look at them."""
# ruff: noqa: PLC0415 - Kafka's client is imported when a command runs

from __future__ import annotations

import json
from typing import Annotated

import typer

from hedgerow.app.cli.output import ConfigOption, JsonOption, read_settings, results
from hedgerow.app.wording import counted


def add_to(app: typer.Typer) -> None:
    """Add the group."""
    group = typer.Typer(no_args_is_help=True, help="Make the topics, and look at them.")
    group.command("create", epilog="Example: hedgerow topics create")(create)
    group.command("list", epilog="Example: hedgerow topics list")(list_)
    group.command("describe", epilog="Example: hedgerow topics describe predictions")(describe)
    app.add_typer(group, name="topics")


def create(config: ConfigOption = None) -> None:
    """Create the topics that do not exist; the others stay as they are."""
    settings = read_settings(config)
    from hedgerow.app.broker.topic_admin import (
        admin_client,
        create_topics,
        existing_topics,
        topic_catalogue,
    )

    admin = admin_client(settings.kafka)
    existing = existing_topics(admin, settings.kafka)
    wanted = list(topic_catalogue(settings))
    missing = [spec for spec in wanted if spec.name not in existing]
    create_topics(admin, missing)
    for spec in wanted:
        done = "created" if spec in missing else "exists already"
        partitions = existing.get(spec.name, spec.partitions)
        results.print(f"{spec.name}: {done}, {counted(partitions, 'partition')}")


def list_(config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """List the topics of the catalogue, and whether the broker has them."""
    settings = read_settings(config)
    from hedgerow.app.broker.topic_admin import admin_client, existing_topics, topic_catalogue

    existing = existing_topics(admin_client(settings.kafka), settings.kafka)
    wanted = list(topic_catalogue(settings))
    if as_json:
        rows = [{"name": spec.name, "partitions": existing.get(spec.name, 0)} for spec in wanted]
        results.print(json.dumps(rows))
        return
    width = max(len(spec.name) for spec in wanted)
    for spec in wanted:
        found = existing.get(spec.name)
        state = "missing" if found is None else counted(found, "partition")
        results.print(f"{spec.name:<{width}}  {state:<14}  {spec.carries}")


def describe(
    name: Annotated[
        str | None, typer.Argument(help="One topic; all of the catalogue otherwise.")
    ] = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show what a topic carries, how it is made, and where it differs from the catalogue."""
    settings = read_settings(config)
    from hedgerow.app.broker.topic_admin import admin_client, existing_topics, topic_catalogue
    from hedgerow.app.broker.topic_check import find_topic
    from hedgerow.app.errors import TopicMissing

    catalogue = list(topic_catalogue(settings))
    wanted = [spec for spec in catalogue if name in {None, spec.name}]
    if not wanted:
        names = ", ".join(spec.name for spec in catalogue)
        raise TopicMissing(f"the catalogue has no topic {name}; it has {names}")
    admin = admin_client(settings.kafka)
    existing = existing_topics(admin, settings.kafka)
    found = {spec.name: find_topic(admin, spec, existing) for spec in wanted}
    if as_json:
        results.print(
            json.dumps(
                [
                    {
                        "name": spec.name,
                        "carries": spec.carries,
                        "key": spec.key,
                        "partitions": found[spec.name].partitions,
                        "config": found[spec.name].config,
                        "differences": found[spec.name].differences,
                    }
                    for spec in wanted
                ]
            )
        )
        return
    for spec in wanted:
        topic = found[spec.name]
        results.print(spec.name, style="bold")
        results.print(f"  carries  {spec.carries}")
        results.print(f"  key      {spec.key}")
        if topic.partitions:
            results.print(f"  is       {topic}")
        else:
            results.print("  is       missing; run `hedgerow topics create`", style="yellow")
        for difference in topic.differences:
            results.print(f"  differs  {difference}", style="yellow")
