"""The command line: `gends-build`."""

from __future__ import annotations

import importlib
import sys
from typing import Any

import click

from gends._version import __version__

COMMANDS = {
    "run": "run",
    "plan": "plan",
    "status": "status",
    "verify": "verify",
    "show": "show",
    "histograms": "histograms",
    "train": "train",
    "demo": "demo",
}
EXIT_CODES = """\b
Exit codes:
  0    done; the summary names what was rejected or failed
  1    the build stopped, or verify found a problem; the same command resumes
  2    wrong usage, configuration or input; nothing was written
  130  interrupted; the same command resumes
"""


class LazyGroup(click.Group):
    """Imports a command when it is called: `--help` loads neither Ray nor torch."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """In the order a user meets them."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        """Load `gends.jobs.<module>` and take its `command`."""
        if name not in COMMANDS:
            return None
        module: Any = importlib.import_module(f"gends.jobs.{COMMANDS[name]}")
        command: click.Command = module.command
        return command


@click.group(cls=LazyGroup, epilog=EXIT_CODES, context_settings={"max_content_width": 100})
@click.version_option(__version__, prog_name="gends-build")
def group() -> None:
    """Turn clean photographs into a dataset of degraded/clean pairs.

    \b
    A first dataset:
      gends-build run --clean photos/ --out dataset/
      gends-build show dataset/ --out sheet.png
    """


def main() -> None:
    """Run, with one line instead of a traceback for what a user can mend."""
    from gends.jobs.build import BuildError  # noqa: PLC0415  imports Ray

    try:
        group.main(standalone_mode=False)
    except click.exceptions.Exit as stop:
        sys.exit(stop.exit_code)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except (click.Abort, KeyboardInterrupt):
        click.echo("interrupted; the same command resumes", err=True)
        sys.exit(130)
    except BuildError as error:
        click.echo(f"gends-build: {error}", err=True)
        sys.exit(1)
    except (ValueError, OSError) as error:
        click.echo(f"gends-build: {error}", err=True)
        sys.exit(2)
