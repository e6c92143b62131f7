from __future__ import annotations

import json
import subprocess
import sys

import pytest

HEAVY = ("torch", "ray", "diffusers", "transformers", "matplotlib", "click", "pyiqa")
BUILDING = ("pandas", "pydantic", "yaml", "cv2", "fpng")
"""What building needs and reading does not. It is loaded again in each spawned loader worker."""


def loaded(statement: str, heavy: tuple[str, ...] = HEAVY) -> set[str]:
    """Heavy top-level modules that a fresh interpreter has loaded after a statement."""
    code = f"{statement}\nimport json, sys\nprint(json.dumps(sorted(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    return {name.partition(".")[0] for name in json.loads(done.stdout.splitlines()[-1])} & set(
        heavy
    )


@pytest.mark.parametrize(
    ("statement", "allowed"),
    [
        ("import gends; gends.__version__", set()),
        ("from gends import PairDataset", set()),
        ("from gends import PairStream", {"torch"}),
        (
            "import gends.pipeline.making.unit, gends.pipeline.keeping.commit",
            set(),
        ),
        (
            "import gends.pipeline.keeping.verify, gends.pipeline.reading.sheet",
            set(),
        ),
    ],
)
def test_imports_are_light(statement, allowed):
    assert loaded(statement) == allowed


def test_reading_loads_no_more_than_it_needs(finished):
    root = str(finished.store.root)
    statement = f"""
from gends import Augment, PairDataset, PairLoader, PairStream
options = dict(degradations=["rain"], severity=(0, 1), augment=Augment(crop=9), preset="tensor")
for item in PairDataset({{"mine": {root!r}}}, **options):
    print(item["lq"].shape)
for batch in PairLoader(PairStream([{root!r}], preset="tensor", mix="gends")):
    print(batch["lq"].shape)
"""
    assert not loaded(statement, BUILDING)
