from __future__ import annotations

import pytest

from gends.jobs.errors import BuildError
from gends.jobs.training.lock import held


def test_a_folder_is_held_by_one(tmp_path):
    folder = tmp_path / "runs" / "one"
    with held(folder):
        with pytest.raises(BuildError, match="held by another training"), held(folder, 0.0):
            pass
        with held(tmp_path / "runs" / "two"):
            pass
    with held(folder, 0.0):
        pass
