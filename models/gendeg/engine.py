"""GenDeg behind the `Degrader` seam."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from tempfile import TemporaryDirectory

import cv2
import diffusers
import numpy as np
import torch
import transformers
from blake3 import blake3
from torch import Tensor

from gends.models.anchoring.anchor import VERSION, anchor
from gends.models.autoencoder import STRIDE
from gends.models.cache import Cache
from gends.models.degradations import DEGRADATIONS, Structure, check_structures
from gends.models.degrader import Degraded, Image, Instruction
from gends.models.files.digest import digest_folder
from gends.models.gendeg.instruction.prompt import phrase_of
from gends.models.gendeg.model import GenDeg
from gends.models.gendeg.sampling.settings import SamplingSettings
from gends.models.pixels import to_images, to_tensor

KEPT = 48
"""Clean images whose latents and reconstructions are remembered: under 2 MB each at 512 pixels."""


@dataclass(frozen=True, slots=True)
class _Job:
    """One instruction and the clean image it is for."""

    clean: int
    instruction: Instruction


class _Encoded:
    """One clean image as the model's autoencoder has it."""

    def __init__(self, model: GenDeg, image: Image) -> None:
        self._model = model
        self._height, self._width = image.shape[:2]
        # One by one: a pair's gt then has the same bytes whatever else is in the call.
        self.condition = model.condition(_extended([image]))

    @cached_property
    def reconstruction(self) -> Image:
        decoded = self._model.reconstruct(self.condition)
        (image,) = _cut(decoded, self._height, self._width)
        return image


class GenDegDegrader:
    """Degrades images with a GenDeg model.

    Each clean image is encoded once for all of its instructions, in one call or in several soon
    after each other. What is corrected and what a result is paired with follows the table
    `gends.models.degradations.DEGRADATIONS`; a model without a correction module corrects nothing,
    and says so in the results.

    Args:
        model: Weights are not to change while this object is in use.
        micro_batch: Images that go through the networks together.
        sampling: Instead of the model's own settings.
        structure: Whose structure pictures keep, by degradation, instead of the model's own choice
            for it. On the photograph's they are paired with the photograph.
    """

    engine = "gendeg"

    def __init__(
        self,
        model: GenDeg,
        *,
        micro_batch: int = 8,
        sampling: SamplingSettings | None = None,
        structure: Mapping[str, Structure] | None = None,
    ) -> None:
        """Check the settings.

        Raises:
            ValueError: a micro-batch below 1, an unknown degradation or structure.
        """
        if micro_batch < 1:
            raise ValueError(f"micro_batch is {micro_batch}; give 1 or more")
        self.model = model
        self.micro_batch = micro_batch
        self.sampling = sampling or model.sampling
        chosen = {**model.structure, **(structure or {})}
        check_structures(chosen)
        self.anchored = frozenset(name for name, kept in chosen.items() if kept == "photograph")
        """Degradations that are laid over the photograph's structure."""
        self._fingerprint: dict[str, str] | None = None
        self._encoded: Cache[_Encoded] = Cache(KEPT)

    def fingerprint(self) -> dict[str, str]:
        """Digests of the model's files, versions, and every setting that decides the bytes."""
        if self._fingerprint is None:
            settings = asdict(self.sampling).items()
            self._fingerprint = {
                **_digests(self.model),
                **{name: str(value) for name, value in settings},
                "dtype": str(self.model.dtype).removeprefix("torch."),
                **_name_of(self.model.device),
                "compiled": str(self.model.network is not self.model.unet).lower(),
                "micro_batch": str(self.micro_batch),
                **_versions_of_anchoring(self.anchored),
                "torch": torch.__version__,
                "diffusers": diffusers.__version__,
                "transformers": transformers.__version__,
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
        encoded = [self._encode(image) for image in images]
        results: list[list[Degraded]] = [[] for _ in cleans]
        for batch in self._batches(jobs):
            generated = self._within_memory(batch, images, encoded)
            for job, (lq, size) in zip(batch, generated, strict=True):
                note = None if size == len(batch) else f"out of memory: made {size} at once"
                pair = self._pair(job, lq, images[job.clean], encoded[job.clean], note)
                results[used[job.clean]].append(pair)
        return results

    def _pair(
        self, job: _Job, lq: Image, clean: Image, encoded: _Encoded, note: str | None
    ) -> Degraded:
        degradation, corrected = job.instruction.degradation, self._corrects(job)
        kind = DEGRADATIONS[degradation].target_kind
        gt = clean if kind == "clean" else encoded.reconstruction
        if degradation in self.anchored:
            # What correction has not mended is the autoencoder's loss, and was not painted.
            reference = clean if corrected else encoded.reconstruction
            seed = job.instruction.seed
            lq = anchor(degradation, clean, lq, reference, seed=seed)
            gt, kind = clean, "clean"
        return Degraded(lq=lq, gt=gt, target_kind=kind, scm_applied=corrected, note=note)

    def _within_memory(
        self, jobs: Sequence[_Job], images: Sequence[Image], encoded: Sequence[_Encoded]
    ) -> list[tuple[Image, int]]:
        """Generate, in halves where memory falls short; each image with the size of its batch."""
        try:
            return [(image, len(jobs)) for image in self._generate(jobs, images, encoded)]
        except (RuntimeError, MemoryError) as error:
            if len(jobs) == 1 or not _out_of_memory(error):
                raise
        if self.model.device.type == "cuda":
            torch.cuda.empty_cache()
        middle = len(jobs) // 2
        halves = (jobs[:middle], jobs[middle:])
        return [made for half in halves for made in self._within_memory(half, images, encoded)]

    def _encode(self, image: Image) -> _Encoded:
        pixels = np.ascontiguousarray(image)
        key = (image.shape, blake3(pixels.data).digest())
        return self._encoded.get(key, lambda: _Encoded(self.model, pixels))

    def _generate(
        self, jobs: Sequence[_Job], images: Sequence[Image], encoded: Sequence[_Encoded]
    ) -> list[Image]:
        model = self.model
        latents = model.generate(
            torch.cat([encoded[job.clean].condition for job in jobs]),
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


def _out_of_memory(error: Exception) -> bool:
    if isinstance(error, MemoryError | torch.OutOfMemoryError):
        return True
    # What torch's CPU allocator raises is a bare RuntimeError.
    return "can't allocate memory" in str(error)


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
    border = (0, below, 0, right, cv2.BORDER_REFLECT_101)
    return to_tensor([np.asarray(cv2.copyMakeBorder(i, *border), np.uint8) for i in images])


def _cut(tensor: Tensor, height: int, width: int) -> list[Image]:
    """Images of the original size."""
    return list(to_images(tensor[:, :, :height, :width]))


def _name_of(device: torch.device) -> dict[str, str]:
    """GPUs of different kinds round differently."""
    gpu = {"gpu": torch.cuda.get_device_name(device)} if device.type == "cuda" else {}
    return {"device": device.type, **gpu}


def _versions_of_anchoring(anchored: Collection[str]) -> dict[str, str]:
    """Which degradations are anchored, and what their bytes depend on besides the model."""
    if not anchored:
        return {}
    names = "" if len(anchored) == len(DEGRADATIONS) else f" ({', '.join(sorted(anchored))})"
    return {
        "structure": f"photograph{names}, version {VERSION}",
        "numpy": np.__version__,
        "opencv": cv2.__version__,
    }


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
