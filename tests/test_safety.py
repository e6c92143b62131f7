"""What no file from elsewhere may do: run code, or open what a build writes to everybody."""

from __future__ import annotations

import ast
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1]
SOURCES = sorted(
    path
    for name in ("gends", "pipeline", "models", "histograms", "jobs")
    for path in (PACKAGE / name).rglob("*.py")
)
PICKLES = {"pickle", "cPickle", "_pickle", "cloudpickle", "dill", "shelve", "marshal", "joblib"}
RUNS = {"eval", "exec", "compile", "__import__"}
LOADERS = {"load_all", "full_load", "full_load_all", "unsafe_load", "unsafe_load_all"}


def unsafe(source: str) -> Iterator[str]:
    """What in a module could run code that stands in a file, or unpack a tar to a disk."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import | ast.ImportFrom):
            module = node.module or "" if isinstance(node, ast.ImportFrom) else ""
            names = [module, *(f"{module}.{alias.name}".strip(".") for alias in node.names)]
            yield from (name for name in names if name.split(".")[0] in PICKLES)
        elif isinstance(node, ast.Call):
            called = ast.unparse(node.func)
            options = {option.arg: ast.unparse(option.value) for option in node.keywords}
            base, _, method = called.rpartition(".")
            if called in RUNS or (base == "yaml" and method in LOADERS | {"load"}):
                yield called
            if base == "torch" and method == "load" and options.get("weights_only") != "True":
                yield called
            if options.get("allow_pickle", "False") != "False" or options.get("trust_remote_code"):
                yield called
            if method in ("extract", "extractall", "unpack_archive"):
                yield called


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_nothing_read_from_a_file_is_run(path):
    assert list(unsafe(path.read_text(encoding="utf-8"))) == []


@pytest.mark.parametrize(
    "source",
    [
        "import pickle",
        "from pickle import loads",
        "import a, dill.b as c",
        "yaml.load(text, Loader=yaml.SafeLoader)",
        "yaml.unsafe_load(text)",
        "np.load(path, allow_pickle=True)",
        "torch.load(path)",
        "torch.load(path, weights_only=False)",
        "eval(text)",
        "tarfile.open(path).extractall()",
    ],
)
def test_the_search_finds_what_it_is_for(source):
    assert list(unsafe(source))
    assert not list(unsafe("yaml.safe_load(t); torch.load(p, weights_only=True); np.load(p)"))


@pytest.mark.parametrize("umask", [0o022, 0o002, 0o077])
def test_what_is_published_has_the_permissions_that_the_user_asked_for(
    build_dataset, photos, tmp_path, umask
):
    before = os.umask(umask)
    try:
        dataset = build_dataset(photos, tmp_path / "root", limit=2)
        with dataset.store.publish("lease/made") as file:
            file.write(b"-")
    finally:
        os.umask(before)
    found = list(dataset.store.root.rglob("*"))
    assert len(found) > 6
    for path in found:
        wanted = 0o777 if path.is_dir() else 0o666
        assert path.stat().st_mode & 0o777 == wanted & ~umask, path
