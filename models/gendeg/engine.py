"""GenDeg behind the `Degrader` seam."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import cv2
import diffusers
import numpy as np
import torch
from blake3 import blake3
from torch import Tensor

from gends.models.autoencoder import STRIDE
from gends.models.degradations import DEGRADATIONS
from gends.models.degrader import Degraded, Image, Instruction
from gends.models.digest import digest_folder
from gends.models.gendeg.model import GenDeg
from gends.models.gendeg.prompt import phrase_of
from gends.models.gendeg.sampling_settings import SamplingSettings
from gends.models.pixels import to_images, to_tensor


@dataclass(frozen=True, slots=True)
class _Job:
    """One instruction and the clean image it is for."""

    clean: int
    instruction: Instruction


class GenDegDegrader:
    """Degrades images with a GenDeg model.

    Each clean image is encoded once for all of its instructions. What is corrected and what a
    result is paired with follows the table `gends.models.degradations.DEGRADATIONS`; a model
    without a correction module corrects nothing, and says so in the results.

    Args:
        model: Weights are not to change while this object is in use.
        micro_batch: Images that go through the networks together.
        sampling: Instead of the model's own settings.
    """

    engine = "gendeg"

    def __init__(
        self, model: GenDeg, *, micro_batch: int = 8, sampling: SamplingSettings | None = None
    ) -> None:
        """Check the settings."""
        if micro_batch < 1:
            raise ValueError(f"micro_batch is {micro_batch}; give 1 or more")
        self.model = model
        self.micro_batch = micro_batch
        self.sampling = sampling or model.sampling
        self._fingerprint: dict[str, str] | None = None

    def fingerprint(self) -> dict[str, str]:
        """Digests of the model's files, versions, and every setting that decides the bytes."""
        if self._fingerprint is None:
            settings = asdict(self.sampling).items()
            self._fingerprint = {
                **_digests(self.model),
                **{name: str(value) for name, value in settings},
                "dtype": str(self.model.dtype).removeprefix("torch."),
                "device": self.model.device.type,
                "compiled": str(self.model.network is not self.model.unet).lower(),
                "micro_batch": str(self.micro_batch),
                "torch": torch.__version__,
                "diffusers": diffusers.__version__,
            }
        return dict(self._fingerprint)

    @torch.inference_mode()
    def degrade(
        self, cleans: Sequence[Image], instructions: Sequence[Sequence[Instruction]]
    ) -> list[list[Degraded]]:
        """See `gends.models.degrader.Degrader`.

        Sizes that are no multiple of 8 are extended by reflection and cut again.

        Raises:
            ValueError: images of different sizes or not uint8 (H, W, 3), an unknown degradation,
                or not one list of instructions for each image.
        """
        _check(cleans, instructions)
        used = [i for i, group in enumerate(instructions) if group]
        jobs = [
            _Job(place, instruction)
            for place, i in enumerate(used)
            for instruction in instructions[i]
        ]
        images = [cleans[i] for i in used]
        # One by one: a pair's gt then has the same bytes whatever else is in the call.
        conditions = [self.model.condition(_extended([image])) for image in images]
        reconstructed = self._reconstructions(images, conditions, jobs)
        results: list[list[Degraded]] = [[] for _ in cleans]
        for batch in self._batches(jobs):
            generated = self._generate(batch, images, conditions)
            for job, lq in zip(batch, generated, strict=True):
                kind = DEGRADATIONS[job.instruction.degradation]
                to_pair = reconstructed if kind.target_kind == "reconstructed" else images
                results[used[job.clean]].append(
                    Degraded(
                        lq=lq,
                        gt=to_pair[job.clean],
                        target_kind=kind.target_kind,
                        scm_applied=self._corrects(job),
                    )
                )
        return results

    def _reconstructions(
        self, images: Sequence[Image], conditions: Sequence[Tensor], jobs: Sequence[_Job]
    ) -> dict[int, Image]:
        """Of the images that a job pairs with its reconstruction."""
        wanted = {
            job.clean
            for job in jobs
            if DEGRADATIONS[job.instruction.degradation].target_kind == "reconstructed"
        }
        reconstructions = {}
        for i in wanted:
            height, width = images[i].shape[:2]
            decoded = self.model.reconstruct(conditions[i])
            (reconstructions[i],) = _cut(decoded, height, width)
        return reconstructions

    def _generate(
        self, jobs: Sequence[_Job], images: Sequence[Image], conditions: Sequence[Tensor]
    ) -> list[Image]:
        model = self.model
        latents = model.generate(
            torch.cat([conditions[job.clean] for job in jobs]),
            [job.instruction for job in jobs],
            self.sampling,
        )
        decoded = model.decode(latents)
        corrected = [place for place, job in enumerate(jobs) if self._corrects(job)]
        if corrected:
            cleans = _extended([images[jobs[place].clean] for place in corrected])
            decoded[corrected] = model.correct(cleans, decoded[corrected])
        height, width = images[0].shape[:2]
        return _cut(decoded, height, width)

    def _corrects(self, job: _Job) -> bool:
        return self.model.scm is not None and DEGRADATIONS[job.instruction.degradation].corrected

    def _batches(self, jobs: Sequence[_Job]) -> Iterator[Sequence[_Job]]:
        for start in range(0, len(jobs), self.micro_batch):
            yield jobs[start : start + self.micro_batch]


def _check(cleans: Sequence[Image], instructions: Sequence[Sequence[Instruction]]) -> None:
    if len(cleans) != len(instructions):
        raise ValueError(
            f"{len(cleans)} images and {len(instructions)} lists of instructions: give one each"
        )
    for image in cleans:
        if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3:
            raise ValueError(f"image is {image.dtype} {image.shape}; give uint8 (H, W, 3)")
    sizes = {image.shape[:2] for image in cleans}
    if len(sizes) > 1:
        raise ValueError(f"images of sizes {sorted(sizes)} in one call; give images of one size")
    for group in instructions:
        for instruction in group:
            phrase_of(instruction.degradation)


def _extended(images: Sequence[Image]) -> Tensor:
    """The images as a tensor, extended to multiples of 8."""
    height, width = images[0].shape[:2]
    below, right = -height % STRIDE, -width % STRIDE
    return to_tensor(
        [cv2.copyMakeBorder(image, 0, below, 0, right, cv2.BORDER_REFLECT_101) for image in images]
    )


def _cut(tensor: Tensor, height: int, width: int) -> list[Image]:
    """Images of the original size."""
    return list(to_images(tensor[:, :, :height, :width]))


def _digests(model: GenDeg) -> dict[str, str]:
    """Of each part's files, weights and configuration, as stored."""
    if model.folder is not None:
        return _digests_of(model.folder)
    with TemporaryDirectory() as folder:
        model.save_pretrained(folder)
        return _digests_of(Path(folder))


def _digests_of(folder: Path) -> dict[str, str]:
    parts = sorted(part for part in folder.iterdir() if part.is_dir())
    files = sorted(path for path in folder.iterdir() if path.suffix == ".json")
    return {f"model/{part.name}": digest_folder(part) for part in parts} | {
        f"model/{path.name}": blake3(path.read_bytes()).hexdigest() for path in files
    }
