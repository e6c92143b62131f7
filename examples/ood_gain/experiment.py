"""What the experiment is: its data, its arms, its restorers, and how they are trained."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

NARROW = ("RESIDE", "Rain1400", "Snow100k", "REDS", "LOLv2", "Raindrop")
"""Datasets of the reference profile, one per degradation, whose severities existing data have."""
REST = (
    *("CityscapesFog", "DenseHaze", "NH-HAZE", "I-HAZE", "ORD", "SPAC", "RealRain1k"),
    *("rain/RainDS", "raindrop/RainDS", "CSD", "CityscapesSnow", "HIDE", "RealBlur", "SID"),
)
"""The others: what out-of-distribution pairs have."""
SEEN, UNSEEN = "0", ",".join(map(str, range(1, 13)))
"""Variants of the physical formulas that existing data have, and those that they have not."""

TESTS = ("id", "ood")
START = "start"
"""What all others of its seed begin with: which degradations a short training hits on is luck, and
no arm is to draw another lot than the rest."""
BASELINE = "existing"
CLAIM = "existing+generated"
CONTROL = "existing+mispaired"
COVERING = "existing+wide"
"""What severities alone do: formulas of `BASELINE`, severities of all datasets."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Arm:
    """What one of the compared restorers is trained on."""

    original: tuple[str, ...] = ()
    data: tuple[str, ...] = ()


ARMS = {
    START: Arm(original=("existing",)),
    BASELINE: Arm(original=("existing",)),
    CLAIM: Arm(original=("existing",), data=("generated",)),
    "generated": Arm(data=("generated",)),
    COVERING: Arm(original=("existing",), data=("wide",)),
    CONTROL: Arm(original=("existing",), data=("mispaired",)),
}
CROPS = {"nafnet": 48, "swin": 64}
"""Restorer → side of its training crops in pixels: what a core gets most from in its time."""
RESTORERS = tuple(CROPS)
OTHER_PAIRS = 1000
"""Lies between the seeds of `START` and of the arms: else `BASELINE` alone would see the crops that
its start saw, in the same order."""
START_STEPS, STEPS, SEEDS = 8000, 2000, 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Pairs:
    """How many pairs are made, and how large."""

    resolution: int = 256
    structure: str = "photograph"
    """`run --structure` of generated pairs."""
    replicas: int = 4
    """Pairs per training photograph and degradation, of either kind."""
    test_replicas: int = 2
    limit: int | None = None
    """Photographs of each folder; None takes all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Training:
    """How every arm is trained."""

    start_steps: Mapping[str, int]
    """Restorer → optimizer steps of `START`."""
    steps: Mapping[str, int]
    """The same of every other arm, from there on."""
    crops: Mapping[str, int] = field(default_factory=lambda: dict(CROPS))
    batch_size: int = 16
    device: str = "cpu"


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """One training and what is judged of it."""

    arm: str
    restorer: str
    seed: int

    @property
    def name(self) -> str:
        """Of its folders."""
        return f"{self.restorer}-{self.arm}-{self.seed}"

    @property
    def start(self) -> Model | None:
        """What it begins with; None for that one."""
        return None if self.arm == START else replace(self, arm=START)

    @property
    def training_seed(self) -> int:
        """Of the order and crops of pairs, and of `START`'s first weights."""
        return self.seed if self.arm == START else self.seed + OTHER_PAIRS


@dataclass(frozen=True, slots=True, kw_only=True)
class Experiment:
    """One experiment, in a folder of its own."""

    out: Path
    photos: Path
    """Folder of photographs to train on."""
    held_out: Path
    """Folder of photographs to judge on."""
    pairs: Pairs
    training: Training
    address: str | None = None
    """Ray cluster that builds and trainings join; None gives each a Ray of its own."""

    def models(self, seed: int) -> list[Model]:
        """Those of one seed."""
        return [Model(arm=arm, restorer=name, seed=seed) for name in RESTORERS for arm in ARMS]

    @property
    def logs(self) -> Path:
        """Folder of what the commands say."""
        return self.out / "log"

    @property
    def cluster(self) -> tuple[str, ...]:
        """Words of a command that join the cluster, if there is one."""
        return () if self.address is None else ("--address", self.address)

    def profile(self, name: str) -> Path:
        """A severity profile's file."""
        return self.out / f"{name}.json"

    def data(self, name: str) -> Path:
        """A dataset's root."""
        return self.out / "data" / name

    def run(self, model: Model) -> Path:
        """Folder of a training."""
        return self.out / "runs" / model.name

    def result(self, model: Model) -> Path:
        """Folder of a trained restorer."""
        return self.run(model) / "result"

    def evaluation(self, model: Model) -> Path:
        """Folder of what a restorer was judged to do."""
        return self.out / "evaluations" / model.name

    def begin_data(self) -> None:
        """Write down what the data are made of and how, or compare with what was written down.

        Raises:
            ValueError: the folder holds other data.
        """
        places = {"photos": self.photos, "held_out": self.held_out}
        facts = {name: str(path.absolute()) for name, path in places.items()} | asdict(self.pairs)
        _settle(self.out / "data.json", facts)

    def begin_training(self) -> None:
        """The same of how restorers are trained."""
        _settle(self.out / "training.json", asdict(self.training))


def _settle(path: Path, facts: dict[str, Any]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    known = json.loads(path.read_text(encoding="utf-8")) if path.exists() else facts
    different = [name for name in facts if known.get(name) != facts[name]]
    if different:
        old = ", ".join(f"{name} {known.get(name)}" for name in different)
        new = ", ".join(f"{name} {facts[name]}" for name in different)
        raise ValueError(f"{path} says {old}, and this command {new}: name another --out")
    path.write_text(json.dumps(facts, indent=1) + "\n", encoding="utf-8")
