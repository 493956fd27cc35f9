"""`tidewatch migrate`: topics and tables as this checkout needs them."""

import click

EXAMPLES = """
\b
Examples:
  tidewatch migrate                 create what is missing; again and again is fine
  tidewatch --config prod.yaml migrate
"""


@click.command(epilog=EXAMPLES)
@click.option("--timeout", default=60.0, show_default=True, help="Seconds to wait for the broker.")
def command(timeout: float) -> None:
    """Create missing Kafka topics and apply new ClickHouse migrations, each once; begin with the shipped rules.

    `tidewatch up` does this by itself; this is for clusters that are not embedded. Existing topics and applied
    migrations are left as they are.
    """
    from cli import rule_topic
    from contracts.settings_source import load
    from infra import topics
    from stores import migrations

    settings = load()
    for name, identity in topics.ensure(settings, timeout).items():
        click.echo(f"topic {name} {identity}")
    rule_topic.ship(settings)
    applied = migrations.apply(settings)
    for name in applied:
        click.echo(f"applied {name}")
    click.echo(f"{settings.clickhouse.database}: {len(applied)} new migrations, nothing else to do")
