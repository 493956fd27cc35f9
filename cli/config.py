"""`tidewatch config`: the settings in effect."""

import click

EXAMPLES = """
\b
Examples:
  tidewatch config                                  all settings, secrets masked
  TIDEWATCH_API__PORT=9000 tidewatch config         one of them from the environment
  tidewatch --config prod.yaml config --path        where they come from
  tidewatch config > mine.yaml                      a file to start from (fill in the secrets)
"""


@click.command(epilog=EXAMPLES)
@click.option("--path", is_flag=True, help="Print the settings file in use instead.")
def command(path: bool) -> None:
    """Print the settings in effect, secrets masked."""
    import os

    from contracts.settings import CONFIG_VARIABLE
    from contracts.settings_source import load
    from contracts.settings_text import effective

    if path:
        click.echo(os.environ.get(CONFIG_VARIABLE) or "no settings file: name one by --config or TIDEWATCH_CONFIG")
    else:
        click.echo(effective(load()), nl=False)
