"""BasicSR, NAFNet and Restormer read shards by their option files.

Copy this file to basicsr/data/gends_dataset.py there, and write into the data section

    type: GenDSPaired
    dataroot: dataset/          # a root of gends-build run, a bucket's URL, or a list of them
    degradations: [haze, rain]  # these, severity: [0.05, 0.2], origins and split are optional
"""

from gends import Augment, PairDataset

try:
    from basicsr.utils.registry import DATASET_REGISTRY
except ImportError:  # NAFNet and Restormer find a class by its name
    register = lambda found: found  # noqa: E731
else:
    register = DATASET_REGISTRY.register()


@register
class GenDSPaired(PairDataset):
    def __init__(self, opt: dict) -> None:
        self.opt = opt
        flip = opt.get("use_hflip", opt.get("use_flip", opt.get("geometric_augs", False)))
        rotate = opt.get("use_rot", opt.get("geometric_augs", False))
        augment = Augment(crop=opt.get("gt_size"), flip=flip, rotate=rotate)
        super().__init__(
            opt["dataroot"],
            augment=augment if opt["phase"] == "train" else None,
            preset="basicsr",
            **{name: opt.get(name) for name in ("degradations", "severity", "origins", "split")},
        )
