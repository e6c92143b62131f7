"""Which epoch the next iteration of a stream reads, and from where in its order on."""

from __future__ import annotations

from gends.reading.shared import shared_numbers

EPOCH, START, CHOICE, BEGUN, READ_AHEAD = range(5)


class Position:
    """The epoch and the place in its order that a stream has come to.

    Every new iteration reads the epoch after the last one that was begun, from its beginning,
    unless `choose` named another or `go_to` came somewhere within one.

    The numbers are in shared memory, because persistent loader workers, too, must see them change.
    """

    def __init__(self) -> None:
        """Stand at the beginning of epoch 0."""
        # The epoch, where to begin in it, how often either was decided, the last such decision that
        # was acted on, and whether loader workers ever read.
        self._numbers = shared_numbers(0, 0, 1, 0, 0)
        self._is_chosen = False
        self.consumed = 0
        """Places of the epoch's order, from the first on, that were handed over."""

    @property
    def epoch(self) -> int:
        """The epoch that is being read or was read last; before all iterations the one to come."""
        return int(self._numbers[EPOCH])

    @property
    def read_ahead(self) -> bool:
        """Whether workers of a `DataLoader` have read, of which this process knows no number."""
        return bool(self._numbers[READ_AHEAD])

    def choose(self, epoch: int) -> None:
        """Let the next iteration read this epoch.

        It begins at its beginning, unless `go_to` has come somewhere within this epoch.
        """
        if self._is_begun or epoch != self.epoch:
            self.go_to(epoch, 0)
        self._numbers[CHOICE] += 1
        self._is_chosen = True

    def go_to(self, epoch: int, start: int) -> None:
        """Let the next iteration begin at this place of this epoch, if anything is left there."""
        self._numbers[EPOCH], self._numbers[START] = epoch, start
        self._numbers[CHOICE] += 1
        self._is_chosen = False
        self.consumed = start

    @property
    def _is_begun(self) -> bool:
        return bool(self._numbers[BEGUN] == self._numbers[CHOICE])

    def begin(self, last: int) -> tuple[int, int]:
        """The epoch that an iteration reads which begins now, and where in its order it begins.

        `last` is the last place at which there is anything to read.
        """
        start = int(self._numbers[START])
        if self._is_begun or (start > last and not self._is_chosen):
            self.go_to(self.epoch + 1, 0)
            start = 0
        self._numbers[START] = 0
        self._numbers[BEGUN] = self._numbers[CHOICE]
        self.consumed = start
        return self.epoch, start

    def begin_in_worker(self, worker: int, *, may_repeat: bool, loader: str) -> int:
        """The epoch that this worker of a `DataLoader` reads, from its beginning.

        Raises:
            RuntimeError: the epoch was read and no other chosen, and it may not be repeated; or a
                state was loaded, which workers cannot go on from.
        """
        self._numbers[READ_AHEAD] = 1
        if self._numbers[START]:
            raise RuntimeError(
                f"a DataLoader cannot resume a stream with workers: take a {loader}, which counts "
                "what it has handed over"
            )
        # One worker is enough to notice it, and several cannot tell who of them is the first.
        if worker == 0:
            if self._is_begun and not may_repeat:
                raise RuntimeError(
                    f"epoch {self.epoch} was read already, and workers of a DataLoader cannot move "
                    "a stream on to the next one: call set_epoch before every iteration, or take "
                    f"a {loader}, which moves on by itself"
                )
            self._numbers[BEGUN] = self._numbers[CHOICE]
        return self.epoch

    def come_to(self, epoch: int, place: int) -> None:
        """Note that what stands before this place of an epoch's order was handed over."""
        if epoch == self.epoch:  # and it was not changed while another was read
            self.consumed = place
