from __future__ import annotations

import json
import subprocess
import sys

import pytest

HEAVY = ("torch", "ray", "diffusers", "transformers", "matplotlib", "click", "pyiqa")


def loaded(statement: str) -> set[str]:
    """Heavy top-level modules that a fresh interpreter has loaded after a statement."""
    code = f"{statement}\nimport json, sys\nprint(json.dumps(sorted(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    return {name.partition(".")[0] for name in json.loads(done.stdout)} & set(HEAVY)


@pytest.mark.parametrize(
    ("statement", "allowed"),
    [
        ("import gends; gends.__version__", set()),
        ("from gends import PairDataset", set()),
        ("from gends import PairStream", {"torch"}),
        ("import gends.pipeline.unit, gends.pipeline.load, gends.pipeline.commit", set()),
        ("import gends.pipeline.plan, gends.pipeline.verify, gends.pipeline.sheet", set()),
    ],
)
def test_imports_are_light(statement, allowed):
    assert loaded(statement) == allowed
