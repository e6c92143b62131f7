"""SIGTERM, turned into a note and a Ctrl-C; and SIGHUP, which says that the terminal was closed.

While Ray starts, it answers SIGTERM itself: its Python part exits with the signal's number, its
native part aborts with a stack dump, in whichever thread the kernel picks. So all threads block the
signal, and one of this process's own waits for it.
"""

from __future__ import annotations

import os
import signal
import threading

_SIGTERM = {signal.SIGTERM}
_BOTH = {signal.SIGTERM, signal.SIGHUP}
_noted = threading.Event()


def interrupt_on_sigterm() -> None:
    """From now on SIGTERM interrupts the main thread as Ctrl-C does, and `noted` tells them apart.

    SIGHUP counts as the first SIGTERM, unless it is ignored as under `nohup`. A shell and the
    kernel may each send one, so it is never the second.

    Lasts as long as the process. Call it before other threads start: they inherit what is blocked.
    """
    ignored = signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    signals = _SIGTERM if ignored else _BOTH
    signal.pthread_sigmask(signal.SIG_BLOCK, signals)
    # Ray ends its processes with SIGTERM, and what is blocked survives fork and exec. SIGHUP stays
    # blocked there: a terminal sends it to all of them, and units in flight need them still.
    os.register_at_fork(after_in_child=lambda: signal.pthread_sigmask(signal.SIG_UNBLOCK, _SIGTERM))
    # A shell that starts a command in the background may have it ignore Ctrl-C.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    threading.Thread(target=_wait, args=(signals,), name="sigterm", daemon=True).start()


def noted() -> bool:
    """Whether SIGTERM came and `take` has not taken it."""
    return _noted.is_set()


def take() -> bool:
    """As `noted`, which is False from then on until SIGTERM comes again."""
    came = _noted.is_set()
    _noted.clear()
    return came


def _wait(signals: set[signal.Signals]) -> None:
    main = threading.main_thread().ident
    assert main is not None
    came = False
    while True:
        if signal.sigwait(signals) == signal.SIGHUP and came:
            continue
        came = True
        _noted.set()
        signal.pthread_kill(main, signal.SIGINT)  # unlike a flag, it also ends a system call
