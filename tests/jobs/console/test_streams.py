from __future__ import annotations

import os
import shutil
import subprocess
import sys
import threading
from pathlib import Path

import psutil
import pytest

from gends.jobs.console.streams import StandardStream
from gends.pipeline.format.manifest import shard_name

PROGRAM = Path(sys.executable).with_name("gends-build")
BUILD = ("--engine", "dry", "--resolution", "64", "--workers", "1")


def shell(line: str, *arguments: object, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a line of bash in which `$0` is the program and `$1`, … are the arguments."""
    return subprocess.run(
        ["bash", "-o", "pipefail", "-c", line, PROGRAM, *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | environment,
    )


@pytest.mark.slow
@pytest.mark.parametrize(
    ("line", "told"),
    [
        ('"$0" run "$@" >/dev/full', ["standard output cannot be written (No space left"]),
        ('"$0" run "$@" 2>/dev/full', ["standard error cannot be written", ": finished in "]),
        ('"$0" run "$@" --json | head -1', ["standard output cannot be written (its reader"]),
        ('"$0" run "$@" >&- 2>&- <&-', []),
    ],
)
def test_a_build_whose_output_is_lost_goes_on_and_says_so_on_the_other_stream(
    photos, tmp_path, line, told
):
    ended = shell(line, "--clean", photos, "--out", tmp_path / "root", *BUILD)
    said = ended.stdout + ended.stderr
    assert ended.returncode == 0, said
    assert all(words in said for words in told), said
    assert "Error" not in said
    status = shell('"$0" status "$1"', tmp_path / "root").stdout
    assert status.startswith(f"{tmp_path / 'root'}: finished")


@pytest.mark.parametrize(
    ("line", "code"),
    [
        ('"$0" status "$1" >/dev/full', 1),
        ('"$0" status --json "$1" >&-', 1),
        ('"$0" verify "$1" >/dev/full', 1),
        ('"$0" plan --no-trial --clean "$2" >/dev/full', 1),
        ('"$0" histograms show >/dev/full', 1),
        ('"$0" show "$1" --out "$3/s.png" >/dev/full', 0),  # the sheet is there
        ('"$0" --help >/dev/full', 0),
        ('"$0" status "$1" 2>/dev/full', 0),
        ('"$0" status "$1" 2>&-', 0),
        ('"$0" verify "$1" | head -c1', 0),
        ('"$0" status "$3" 2>/dev/full', 2),  # no dataset
        ('"$0" status "$3" >&- 2>&-', 2),
        ('"$0" sttus 2>/dev/full', 2),
    ],
)
def test_a_command_fails_for_lost_output_only_when_that_was_all_it_is_for(
    finished, photos, tmp_path, line, code
):
    ended = shell(line, finished.store.root, photos, tmp_path)
    assert ended.returncode == code, ended
    assert "Error" not in ended.stderr
    if code == 1:
        assert "gends-build: standard output cannot be written (" in ended.stderr


def test_a_reader_that_has_had_enough_does_not_hide_damage(copied):
    copied.store.path(shard_name(0)).unlink()
    ended = shell('"$0" verify "$1" | true', copied.store.root)
    assert ended.returncode == 1
    assert "cannot be written" not in ended.stderr


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "utf-8", "cp1252", "euc-jp"])
def test_no_encoding_is_too_small(finished, tmp_path, encoding):
    root = tmp_path / "naïve 写真"
    shutil.copytree(finished.store.root, root)

    def said(*arguments: object, code: int = 0) -> str:
        ended = subprocess.run(
            [PROGRAM, *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            check=False,
            env=os.environ | {"PYTHONIOENCODING": encoding},
        )
        assert ended.returncode == code, ended.stdout
        return ended.stdout.decode(encoding)

    names = {"utf-8": "naïve 写真", "ascii": r"na\xefve \u5199\u771f"}
    names |= {"latin-1": r"naïve \u5199\u771f", "cp1252": r"naïve \u5199\u771f"}
    assert f"{names.get(encoding, r'na')}" in said("status", root)
    assert f" {'x' if encoding == 'ascii' else '×'} failed: duplicate" in said("status", root)
    wide = encoding in ("utf-8", "cp1252", "euc-jp")
    assert f"NAME,NAME{'…' if wide else '...'}" in said("run", "--help")
    no_text = os.fsdecode(b"caf\xe9")
    assert r"caf\xe9" in said("status", tmp_path / no_text, code=2)


def test_a_locale_without_utf_8_is_as_good(finished):
    plain = {"LC_ALL": "C", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0"}
    ended = shell('"$0" status "$1"', finished.store.root, **plain)
    assert ended.returncode == 0, ended.stderr
    assert " x failed: duplicate" in ended.stdout


def test_what_follows_half_a_line_begins_a_new_one(tmp_path):
    full, log = os.open("/dev/full", os.O_WRONLY), os.open(tmp_path / "log", os.O_CREAT | os.O_RDWR)
    number = os.dup(log)
    stream = StandardStream(number, "utf-8")
    stream.write("one\nhalf")
    os.dup2(full, number)
    stream.write("lost\n")
    stream.write("lost, too\n")
    os.dup2(log, number)
    stream.write("two\n")
    stream.write("three\n")
    assert (tmp_path / "log").read_text() == "one\nhalf\ntwo\nthree\n"
    for descriptor in (full, log, number):
        os.close(descriptor)


def test_a_loss_is_told_once_and_only_where_that_can_be_read(tmp_path):
    full, log = os.open("/dev/full", os.O_WRONLY), os.open(tmp_path / "log", os.O_CREAT | os.O_RDWR)
    out, err = StandardStream(full, "utf-8"), StandardStream(log, "utf-8")
    out.other, err.other = err, out
    for _ in range(3):
        assert out.write("x\n") == 2
    assert (tmp_path / "log").read_text().count("cannot be written") == 1
    first, second = StandardStream(full, "utf-8"), StandardStream(full, "utf-8")
    first.other, second.other = second, first
    first.write("x\n")
    for descriptor in (full, log):
        os.close(descriptor)


def test_a_pipe_that_does_not_wait_gets_all_of_it():
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    text = "0123456789" * 50_000
    got = bytearray()

    def read() -> None:
        while len(got) < len(text):
            got.extend(os.read(reading, 4096))

    reader = threading.Thread(target=read)
    reader.start()
    StandardStream(writing, "utf-8").write(text)
    reader.join(60)
    assert got.decode() == text
    os.close(reading)
    os.close(writing)


@pytest.mark.slow
@pytest.mark.parametrize(("before", "code"), [("", 75), ("trap '' HUP; ", 0)])
def test_a_closed_terminal_stops_a_build_in_order_unless_that_is_ignored(
    photos, tmp_path, before, code
):
    root = tmp_path / "root"
    asked = [*BUILD, "--replicas", "120", "--clean", photos, "--out", root]
    master, slave = os.openpty()
    build = subprocess.Popen(
        ["setsid", "-c", "bash", "-c", f'{before}exec "$0" run "$@"', PROGRAM, *map(str, asked)],
        stdin=slave,
        stdout=slave,
        stderr=slave,
    )
    os.close(slave)
    seen = b""
    while b" accepted" not in seen:
        seen += os.read(master, 4096)
    started = psutil.Process(build.pid).children(recursive=True)
    os.close(master)  # the kernel then sends SIGHUP to everything that the terminal had
    assert build.wait(120) == code
    _, left = psutil.wait_procs(started, timeout=30)
    assert not left
    status = shell('"$0" status "$1"', root).stdout
    assert status.startswith(f"{root}: {'finished' if code == 0 else 'not finished'}")
