"""One rank of a restorer's training: what Ray Train calls in each of its processes."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping
from dataclasses import asdict
from typing import Any

import ray
import torch
from ray.train.torch import get_device

from gends.jobs.training.lock import held
from gends.jobs.training.mailbox import watching
from gends.jobs.training.report import StepTeller
from gends.jobs.training.restorer.result import VALIDATIONS, write_result
from gends.jobs.training.restorer.settings import RestorerSettings
from gends.jobs.training.restorer.task import loop_settings, restorer_task
from gends.jobs.training.restorer.validation import Figures
from gends.models.training.loop import newest_step, train
from gends.models.training.progress import StepReport
from gends.models.training.ranks import Ranks
from gends.models.training.step_log import StepLog


def train_rank(config: Mapping[str, Any]) -> None:
    """Train until the end, or until the mailbox says stop; the first rank reports to the mailbox.

    `config` has `settings` (RestorerSettings), `identity` (what the run is, as JSON values) and the
    `mailbox`. Notes are {"step": {"step": S, "steps": N}}, {"progress": fields of StepReport},
    {"figures": Figures}, and at last {"ended": {"step": S, "finished": F}}.
    """
    settings: RestorerSettings = config["settings"]
    mailbox, identity, ranks = config["mailbox"], config["identity"], Ranks.joined()
    torch.set_num_threads(settings.threads)
    with contextlib.ExitStack() as stack:
        should_stop: Callable[[], bool] = lambda: False  # noqa: E731
        if ranks.first:
            stack.enter_context(held(settings.folder))
            should_stop = stack.enter_context(watching(mailbox))
        on_figures = _teller(settings, identity, mailbox) if ranks.first else lambda figures: None
        device, steps = torch.device(get_device()), settings.hyperparameters.steps
        teller = StepTeller(lambda n: mailbox.tell.remote({"step": {"step": n, "steps": steps}}))

        def on_progress(progress: StepReport) -> None:
            mailbox.tell.remote({"progress": asdict(progress)})
            teller.told()

        trained = train(
            restorer_task(settings, ranks, device, on_figures),
            loop_settings(settings, identity),
            on_progress=on_progress,
            on_step=teller if ranks.first else lambda step: None,
            should_stop=should_stop,
            ranks=ranks,
        )
        if ranks.first and trained.finished:
            (restorer,) = trained.averaged.values()
            write_result(restorer, settings, identity)
    if ranks.first:
        ended = {"step": trained.step, "finished": trained.finished}
        ray.get(mailbox.tell.remote({"ended": ended}))


def _teller(
    settings: RestorerSettings, identity: Mapping[str, Any], mailbox: Any
) -> Callable[[Figures], None]:
    """Writes the figures of validations down, after those up to the step that is gone on from."""
    log = StepLog(settings.folder / VALIDATIONS, newest_step(settings.folder, identity))

    def tell(figures: Figures) -> None:
        log.write(figures)
        mailbox.tell.remote({"figures": figures})

    return tell
