"""The command line: `gends-build`."""

from __future__ import annotations

import difflib
import importlib
import logging
import os
import signal
import sys
from typing import Any

import click

from gends._version import __version__
from gends.jobs.cluster import sigterm
from gends.jobs.console import streams
from gends.jobs.errors import BuildError, DrainedError
from gends.pipeline.format.damage import DamageError
from gends.pipeline.keeping.lease import LeaseLostError
from gends.pipeline.storage.paths import check_path
from gends.pipeline.storage.store import StorageError

COMMANDS = {
    "run": "Make a dataset, or go on making it.",
    "plan": "Count what run would make; writes nothing.",
    "status": "Print how much of a dataset is made, and what was rejected or failed.",
    "verify": "Check a dataset against its own records.",
    "repair": "Find damaged shards, and make them again.",
    "retry": "Make what failed again.",
    "replay": "Make one pair again, also on another picture or with a value changed.",
    "show": "Draw a contact sheet of a dataset.",
    "export": "Copy pairs into layouts that other trainers read.",
    "histograms": "Fit, import and look at severity profiles.",
    "operations": "List the degradations by formula: parameters, ranges, levels.",
    "train": "Train a restorer, or the parts of a GenDeg model.",
    "restore": "Restore pictures with a trained restorer.",
    "evaluate": "Judge a restorer on datasets: metrics, tables, plots.",
    "demo": "Make a small dataset from bundled photographs.",
}
"""What each module of that name, here beside this one, is for."""
RESUMING = {"run", "repair", "retry", "demo", "restore", "train"}
"""Commands that go on where they were; the others start again."""
PATHS = """\b
Paths stand for themselves, whatever characters they hold. Only ~/ at their beginning is refused:
no shell has expanded it (as in --out=~/x). Write $HOME/x, or ./~/x for a folder called ~.
"""
EXIT_CODES = """\b
Exit codes:
  0    done; the summary names what was rejected or failed
  1    the build stopped, or a file is damaged, or the result could not be printed; or no pair
       of a finished build was accepted
  2    wrong usage, settings or input, or another build is writing here; nothing was made
  75   stopped by SIGTERM, or as the terminal was closed; a build finishes what it had begun
  130  interrupted by Ctrl-C or a second SIGTERM

\b
After 1, 75 and 130 give the same command again: run, repair, retry, demo, restore and
train go on where they stopped, other commands start again.
A command whose output cannot be written goes on without it. The exit code says what
became of its work.
"""


class LazyGroup(click.Group):
    """Imports a command when it is called: `--help` loads neither Ray nor torch."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Refuse paths that a shell should have expanded, whichever command is given them."""
        for arg in args:
            try:
                check_path(arg.partition("=")[2] if arg.startswith("-") else arg)
            except ValueError as error:
                ctx.fail(str(error))
        return super().parse_args(ctx, args)

    def list_commands(self, ctx: click.Context) -> list[str]:
        """In the order a user meets them."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        """Load `gends.jobs.<name>` and take its `command`."""
        if name not in COMMANDS:
            return None
        from gends.jobs.console.alive import alive  # noqa: PLC0415  --help needs none

        with alive(f"loading gends-build {name}"):
            module: Any = importlib.import_module(f"gends.jobs.commands.{name}")
        command: click.Command = module.command
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Suggest the nearest name for one that is not known."""
        near = difflib.get_close_matches(args[0], COMMANDS, n=1)
        if near and args[0] not in COMMANDS:
            ctx.fail(f"No such command {args[0]!r}. Did you mean {near[0]!r}?")
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the commands without loading them."""
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


@click.group(
    cls=LazyGroup, epilog=f"{PATHS}\n{EXIT_CODES}", context_settings={"max_content_width": 100}
)
@click.version_option(__version__, prog_name="gends-build")
def group() -> None:
    """Turn clean photographs into a dataset of degraded/clean pairs.

    \b
    A first dataset:
      gends-build run --clean photos/ --out dataset/
      gends-build show dataset/ --out sheet.png
    """


def main() -> None:
    """Be the process `gends-build`."""
    streams.take_over(json="--json" in sys.argv)
    try:
        sigterm.interrupt_on_sigterm()
        run()
    except KeyboardInterrupt:  # before or after what `run` looks after
        sys.exit(_interrupted())
    finally:
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # how it ends is decided


def run() -> None:
    """Run a command, with one line instead of a traceback for what a user can mend."""
    # Diffusers imports it wherever it is installed, and it warns of kernels that nobody asked for.
    logging.getLogger("bitsandbytes").setLevel(logging.ERROR)
    try:
        code = group.main(prog_name="gends-build", standalone_mode=False)
        if isinstance(code, int):  # of an Exit, which click turns into what it returns
            sys.exit(code)
        if streams.result_is_lost():
            sys.exit(1)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except (click.Abort, KeyboardInterrupt):
        sys.exit(_interrupted())
    except DrainedError as error:
        click.echo(f"gends-build: {error}", err=True)
        sys.exit(os.EX_TEMPFAIL)
    except (BuildError, LeaseLostError) as error:
        click.echo(f"gends-build: {error}", err=True)
        sys.exit(1)
    except MemoryError as error:
        text = f"memory fell short ({error})" if str(error) else "memory fell short"
        click.echo(f"gends-build: {text}; free some, then the same command resumes", err=True)
        sys.exit(1)
    except StorageError as error:
        click.echo(f"gends-build: {error}; {_again()}", err=True)
        sys.exit(1)
    except DamageError as error:
        click.echo(f"gends-build: {error}", err=True)
        sys.exit(1)
    except (ValueError, OSError, FloatingPointError) as error:  # the last: a loss grew too large
        click.echo(f"gends-build: {error}", err=True)
        sys.exit(2)


def _interrupted() -> int:
    """Say how the command ends, and return its exit code."""
    if sigterm.noted():
        click.echo(f"gends-build: stopped as asked; {_again()}", err=True)
        return os.EX_TEMPFAIL
    click.echo(f"interrupted; {_again()}", err=True)
    return 130


def _again() -> str:
    """What happens when the command is given again."""
    words = [word for word in sys.argv[1:] if not word.startswith("-")]
    name, child = (*words, "", "")[:2]
    resumes = name in RESUMING and (name, child) != ("train", "calibration")
    return "the same command resumes" if resumes else "the same command starts again"
