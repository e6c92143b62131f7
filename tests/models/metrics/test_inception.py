from __future__ import annotations

import numpy as np
import pytest
import torch
from PIL import Image

from gends.models.metrics.inception import InceptionFeatures

pytest.importorskip("pyiqa")


@pytest.mark.slow
def test_features_are_those_that_pyiqa_takes_the_fid_of(clean, worse, tmp_path, monkeypatch):
    from pyiqa.archs import fid_arch, inception  # noqa: PLC0415

    # Its hub need not be reachable: the same random network serves both.
    monkeypatch.setattr(inception, "load_pretrained_network", lambda *_: None)
    torch.manual_seed(0)
    features = InceptionFeatures()
    for module in features._network.modules():
        if isinstance(module, torch.nn.Conv2d):
            torch.nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
    images = [clean, worse["noisy"], worse["dark"]]
    for number, image in enumerate(images):
        Image.fromarray(image).save(tmp_path / f"{number}.png")
    theirs = fid_arch.get_folder_features(
        str(tmp_path), features._network, num_workers=0, device="cpu", verbose=False
    )
    ours = np.stack([features(image) for image in images])
    assert ours.shape == (3, 2048)
    assert np.ptp(ours, axis=0).max() > 1e-3
    np.testing.assert_allclose(ours, theirs, rtol=1e-3, atol=1e-5)
