from __future__ import annotations

import subprocess
import sys
from types import SimpleNamespace

import click
import pytest

from gends.jobs.cli import COMMANDS
from gends.pipeline.storage.store import StorageError

GROUPS = {
    "histograms": ("fit", "import", "show"),
    "train": ("autoencoder", "generator", "scm", "calibration", "restorer"),
}
PATHS = [
    (name, *rest)
    for name in COMMANDS
    for rest in ([(child,) for child in GROUPS[name]] if name in GROUPS else [()])
]


@pytest.mark.parametrize("path", PATHS, ids=" ".join)
def test_every_command_has_help_with_an_example(cli, path):
    ended = cli(*path, "--help")
    assert ended.code == 0
    text = " ".join(ended.out.split())
    assert f"gends-build {' '.join(path)}" in text.partition("Example")[2]
    assert not {"INTEGER", "FLOAT"} & set(text.split())  # a number is N or X, everywhere


def test_help_lists_commands_and_exit_codes(cli):
    ended = cli("--help")
    assert ended.code == 0
    for name, help_text in COMMANDS.items():
        assert name in ended.out
        assert help_text in " ".join(ended.out.split())
    for code in ("0", "1", "2", "130"):
        assert f"\n    {code} " in ended.out


def test_the_code_that_a_command_exits_with_is_the_process_own(cli, monkeypatch):
    def stop():
        raise click.exceptions.Exit(75)

    command = click.Command("show", callback=stop)
    monkeypatch.setitem(sys.modules, "gends.jobs.commands.show", SimpleNamespace(command=command))
    assert cli("show").code == 75


def test_version(cli):
    assert cli("--version").out.startswith("gends-build, version ")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["rum"], ["rum", "run"]),
        (["run"], ["--out"]),
        (["run", "--out", "x", "--replica", "3"], ["--replica", "--replicas"]),
        (["run", "--out", "x", "--workers", "0"], ["--workers", "x>=1"]),
        (["run", "missing.yaml", "--out", "x"], ["missing.yaml", "does not exist"]),
        (["run", "--out", "x", "--filter-metrics", "niqe=7"], ["niqe=7", "niqe=:6.5"]),
        (["status", "nowhere"], ["nowhere", "no dataset.json here"]),
        (["histograms", "fit", ".", "--out", "x.json", "--weight", "a"], ["NAME=WEIGHT"]),
        (["histograms", "fit", ".", "--out", "x.parquet"], ["x.parquet", "call it x.json"]),
    ],
    ids=" ".join,
)
def test_wrong_usage_exits_2_and_says_what(cli, arguments, words, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    ended = cli(*arguments)
    assert ended.code == 2
    assert all(word in ended.err for word in words), ended.err
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("arguments", [["--help"], ["run", "--help"], ["plan", "--help"]], ids=str)
def test_help_loads_neither_ray_nor_torch(arguments):
    code = (
        "import sys, gends.jobs.cli as cli\n"
        f"sys.argv = ['gends-build', *{arguments}]\n"
        "try: cli.main()\n"
        "finally: print(sorted({'ray', 'torch'} & sys.modules.keys()))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"


@pytest.mark.parametrize(
    ("words", "again"),
    [
        (("run", "--out", "x"), "the same command resumes"),
        (("train", "scm"), "the same command resumes"),
        (("restore", "evaluate"), "the same command resumes"),
        (("train", "calibration"), "the same command starts again"),
        (("evaluate", "restore"), "the same command starts again"),
        (("export", "folder"), "the same command starts again"),
        (("verify", "run"), "the same command starts again"),
    ],
)
@pytest.mark.parametrize("error", [KeyboardInterrupt(), StorageError("the disk is full")], ids=str)
def test_no_command_promises_to_go_on_that_starts_again(cli, monkeypatch, words, again, error):
    def stop(**_: object) -> None:
        raise error

    settings = {"ignore_unknown_options": True, "allow_extra_args": True}
    command = click.Command(words[0], callback=stop, context_settings=settings)
    module = SimpleNamespace(command=command)
    monkeypatch.setitem(sys.modules, f"gends.jobs.commands.{words[0]}", module)
    ended = cli(*words)
    assert ended.code == (130 if isinstance(error, KeyboardInterrupt) else 1)
    assert again in ended.err


@pytest.mark.parametrize(
    "arguments",
    [
        ("run", "--clean", "photos", "--out=~/x"),
        ("plan", "--clean=~/photos"),
        ("status", "~/x"),
        ("evaluate", "model", "--data", "root", "--out", "~/x"),
        ("export", "folder", "root", "~/x"),
        ("histograms", "fit", "pairs.csv", "--out=~/x.json"),
        ("train", "restorer", "--run=~"),
        ("show", "s3:/bucket/x", "--out", "x.png"),
    ],
    ids=" ".join,
)
def test_a_path_that_no_shell_expanded_is_refused(cli, tmp_path, monkeypatch, arguments):
    monkeypatch.chdir(tmp_path)
    ended = cli(*arguments)
    assert ended.code == 2
    assert "write $HOME" in ended.err or "two slashes" in ended.err
    assert not list(tmp_path.iterdir())


def test_a_path_of_a_configuration_is_held_to_the_same(cli, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "settings.yaml").write_text("clean: ~/photos\n")
    ended = cli("run", "settings.yaml", "--out", "x")
    assert ended.code == 2
    assert "clean" in ended.err
    assert "write $HOME/photos, or ./~/photos" in ended.err
    assert not (tmp_path / "x").exists()
