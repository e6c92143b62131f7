"""Whether an error tells of a GPU that failed, and nothing of what it worked on."""

from __future__ import annotations

_FIRST_WORDS = ("CUDA error", "CUDA driver error", "cuDNN error", "cuBLAS error", "NCCL error")


def gpu_failed(error: BaseException) -> bool:
    """By PyTorch's class, which is not imported for its sake, or by the text of older ones."""
    return type(error).__name__ == "AcceleratorError" or str(error).startswith(_FIRST_WORDS)
