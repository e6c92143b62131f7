"""Run the ranks of a training on Ray Train, and listen to them."""

from __future__ import annotations

import contextlib
import os
import threading
import traceback
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import ray
from ray import train as ray_train
from ray.train.torch import TorchConfig, TorchTrainer

from gends.jobs.cluster.cause import last_line
from gends.jobs.cluster.connect import in_use
from gends.jobs.console.alive import alive
from gends.jobs.errors import BuildError
from gends.jobs.training.mailbox import open_mailbox
from gends.models.files.erase import erase
from gends.models.training.interruption import stop_on_signals
from gends.pipeline.format.damage import PairError
from gends.pipeline.storage.store import StorageError

LISTEN = 0.3
"""Seconds between two looks at what the ranks have told."""
USER_ERRORS = (ValueError, OSError, FloatingPointError, BuildError)
"""What a rank raises of its input; all else is a rank that was lost."""
FAILURE = "failure.txt"

Work = Callable[[Mapping[str, Any]], None]


class LostRankError(BuildError):
    """A process of the training died, or broke."""

    stopping = False
    """Whether the training had been asked to stop."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Launch:
    """One training's function, and where and how wide it runs.

    Ray calls `work(settings | {"mailbox": mailbox})` on each rank, with torch's process group
    joined; the first rank tells the mailbox what it has to say.
    """

    work: Work
    settings: Mapping[str, Any]
    ranks: int
    cpus: int
    """Of each rank."""
    on_gpu: bool
    folder: Path
    """Of the run, which all machines see."""

    def run(self, listen: Callable[[Any], None]) -> None:
        """Start the ranks and wait for their end; `listen` gets what they tell.

        The first SIGTERM or Ctrl-C asks them to stop after a step, the second Ctrl-C interrupts.

        Raises:
            LostRankError: a rank died or broke; its last words are in `folder`/failure.txt.
            ValueError, OSError, FloatingPointError, BuildError: what a rank raised.
        """
        mailbox = open_mailbox()
        fit = _Background(self._trainer(mailbox).fit)
        told = False
        with self._scratch(), stop_on_signals() as asked, contextlib.ExitStack() as waiting:
            waiting.enter_context(alive(self._waiting_for))
            fit.start()
            while not fit.ended(LISTEN):
                if _hear(mailbox, listen):
                    waiting.close()
                if asked() and not told:
                    ray.get(mailbox.stop.remote())
                    told = True
        _hear(mailbox, listen)
        if fit.error is not None:
            error = self.blame(fit.error)
            if isinstance(error, LostRankError):
                error.stopping = told
            raise error from fit.error

    def _waiting_for(self) -> str:
        gpu = " and 1 GPU" * self.on_gpu
        return f"starting workers: {self.ranks} of {self.cpus} CPU{gpu} each; {in_use()}"

    def _trainer(self, mailbox: Any) -> TorchTrainer:
        # Ray would work in a folder of its own: what this one opens by a relative path moved.
        os.environ["RAY_CHDIR_TO_TRIAL_DIR"] = "0"
        # A machine that is lost is a rank that is lost; to be told before takes a process more.
        os.environ.setdefault("RAY_TRAIN_ENABLE_PREEMPTION_WATCHER", "0")
        gpu = {"GPU": 1} if self.on_gpu else {}
        return TorchTrainer(
            self.work,
            train_loop_config={**self.settings, "mailbox": mailbox},
            # What ranks tell each other beside gradients does not pass through the GPU.
            torch_config=TorchConfig(backend="cpu:gloo,cuda:nccl" if self.on_gpu else "gloo"),
            scaling_config=ray_train.ScalingConfig(
                num_workers=self.ranks,
                use_gpu=self.on_gpu,
                resources_per_worker={"CPU": self.cpus, **gpu},
            ),
            run_config=ray_train.RunConfig(  # type: ignore[call-arg]  # it declares the old one
                name="train",
                storage_path=str(self._ray_folder),
                logging_config=ray_train.LoggingConfig(log_level="ERROR"),
            ),
        )

    @property
    def _ray_folder(self) -> Path:
        return self.folder / ".ray"

    @contextlib.contextmanager
    def _scratch(self) -> Iterator[None]:
        """Give Ray Train a folder for its own records, which mean nothing to the next run."""
        erase(self._ray_folder)
        try:
            yield
        finally:
            with contextlib.suppress(OSError):  # a rank that was lost may still write there
                erase(self._ray_folder)

    def blame(self, error: BaseException) -> BaseException:
        """What a training ended with, out of what Ray Train ended with.

        The error that a rank raised of its input, as it was raised; or else a LostRankError.
        """
        if not isinstance(error, ray_train.TrainingFailedError):
            return error
        failures: Mapping[int, Exception] = getattr(error, "worker_failures", {})
        for failure in failures.values():
            if isinstance(failure, USER_ERRORS):
                return _in_short(failure)
        words = "".join(traceback.format_exception(error))
        erase(self.folder / FAILURE)
        (self.folder / FAILURE).write_text(words, encoding="utf-8")
        rank, why = next(iter(failures.items()), (None, error))
        who = "the training" if rank is None else f"rank {rank} of {self.ranks}"
        what = last_line(why).partition(". ")[0]
        return LostRankError(f"{who} was lost: {what} (more in {self.folder / FAILURE})")


class _Background:
    """A call on a thread of its own that the process does not wait for when it ends."""

    def __init__(self, call: Callable[[], Any]) -> None:
        self.error: BaseException | None = None
        self._call = call
        self._thread = threading.Thread(target=self._run, name="trainer", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def ended(self, seconds: float) -> bool:
        """Wait so long at most."""
        self._thread.join(seconds)
        return not self._thread.is_alive()

    def _run(self) -> None:
        try:
            self._call()
        except BaseException as error:
            self.error = error


def _in_short(failure: Exception) -> Exception:
    """Damage or a store at fault, without the traceback of the loader worker that met it."""
    for kind in (PairError, StorageError):
        if isinstance(failure, kind) and "Original Traceback" in str(failure):
            return kind(last_line(failure).partition(": ")[2])
    return failure


def _hear(mailbox: Any, listen: Callable[[Any], None]) -> bool:
    """Whether there was something to hear."""
    notes = ray.get(mailbox.take.remote())
    for note in notes:
        listen(note)
    return bool(notes)
