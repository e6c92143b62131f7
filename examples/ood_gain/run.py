"""Whether generated pairs help a restorer on degradations that its other data do not have.

    python examples/ood_gain/run.py --photos TRAIN --held-out HELD_OUT --out FOLDER [--processes 2]

TRAIN and HELD_OUT are folders of different photographs, at least 256 pixels a side. The same
command goes on where it was stopped. FOLDER/report/report.md is what came out; README.md says how
to read it.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from commands import (
    data_steps,
    evaluation_step,
    mispairing_step,
    profile_steps,
    training_step,
)
from execute import StepFailedError, run_steps, stop_on_sigterm
from experiment import RESTORERS, SEEDS, START_STEPS, STEPS, Experiment, Pairs, Training
from report import write_report

REHEARSAL = Pairs(resolution=64, replicas=1, test_replicas=1, limit=6)
REHEARSAL_STEPS = 20
"""To see that all of it works; what it finds means nothing."""


def main() -> None:
    options = parse()
    training = Training(
        start_steps=steps_of(options, "start_steps", START_STEPS),
        steps=steps_of(options, "steps", STEPS),
        device=options.device,
    )
    experiment = Experiment(
        out=options.out,
        photos=options.photos,
        held_out=options.held_out,
        pairs=REHEARSAL if options.quick else Pairs(),
        training=training,
        address=options.address,
    )
    seeds = options.seeds or (1 if options.quick else SEEDS)
    stop_on_sigterm()
    try:
        make_data(experiment, options.processes)
        if not options.only_data:
            compare(experiment, seeds, options.processes, options.lpips_weights)
    except (StepFailedError, ValueError) as error:
        sys.exit(f"{error}")
    except KeyboardInterrupt:
        sys.exit("interrupted; the same command goes on")


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--photos", required=True, type=Path, help="photographs to train on")
    parser.add_argument("--held-out", required=True, type=Path, help="other ones to judge on")
    parser.add_argument("--out", required=True, type=Path, help="folder of all that is made")
    parser.add_argument("--processes", type=count, default=2, help="at a time, a core each")
    parser.add_argument("--seeds", type=count, help=f"of each restorer and arm; default {SEEDS}")
    for name in RESTORERS:
        parser.add_argument(
            f"--{name}-start-steps",
            type=count,
            help=f"of what all begin with; default {START_STEPS}",
        )
        parser.add_argument(
            f"--{name}-steps", type=count, help=f"of each arm after them; default {STEPS}"
        )
    parser.add_argument("--device", choices=["cpu", "cuda"], default="cpu", help="of the restorers")
    parser.add_argument(
        "--address", help="Ray cluster to join, HOST:PORT; default: a Ray of its own per command"
    )
    parser.add_argument(
        "--lpips-weights", type=Path, help="as of gends-build evaluate; also GENDS_LPIPS_WEIGHTS"
    )
    parser.add_argument("--only-data", action="store_true", help="make the datasets, then end")
    parser.add_argument("--quick", action="store_true", help="a rehearsal of some minutes")
    return parser.parse_args()


def count(text: str) -> int:
    """A number of something, at least 1."""
    if (number := int(text)) < 1:
        raise argparse.ArgumentTypeError(f"{number} is less than 1")
    return number


def steps_of(options: argparse.Namespace, kind: str, usual: int) -> dict[str, int]:
    """Restorer → steps."""
    usual = REHEARSAL_STEPS if options.quick else usual
    return {name: getattr(options, f"{name}_{kind}") or usual for name in RESTORERS}


def make_data(experiment: Experiment, processes: int) -> None:
    """Make the datasets that are not there yet; a build uses all processes by itself."""
    experiment.begin_data()
    run_steps(profile_steps(experiment), 1, experiment.logs)
    run_steps(data_steps(experiment, processes), 1, experiment.logs)
    run_steps([mispairing_step(experiment)], 1, experiment.logs)


def compare(experiment: Experiment, seeds: int, processes: int, lpips_weights: Path | None) -> None:
    """Train and judge what was not yet, seed after seed: there is something to look at early."""
    experiment.begin_training()
    for seed in range(seeds):
        models = experiment.models(seed)
        starts = [model for model in models if model.start is None]
        arms = [model for model in models if model.start is not None]
        for group in (starts, arms):
            training = [training_step(experiment, model) for model in group]
            run_steps(training, processes, experiment.logs)
        judging = [evaluation_step(experiment, model, lpips_weights) for model in models]
        run_steps(judging, processes, experiment.logs)
        print(f"{seed + 1} of {seeds} seeds: {write_report(experiment.out)}", flush=True)


if __name__ == "__main__":
    main()
