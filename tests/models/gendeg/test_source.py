from __future__ import annotations

from pathlib import Path

import pytest

from gends.models.gendeg.source import locate

COMMIT = "0123456789abcdef0123456789abcdef01234567"


def test_a_folder_is_itself(tmp_path: Path):
    assert locate(tmp_path) == tmp_path


def test_a_downloaded_revision_is_found_without_a_network(tmp_path: Path):
    snapshot = tmp_path / "models--someone--gendeg" / "snapshots" / COMMIT
    snapshot.mkdir(parents=True)
    (snapshot / "model_index.json").write_text("{}")
    assert locate("someone/gendeg", COMMIT, cache=tmp_path, local_files_only=True) == snapshot


@pytest.mark.parametrize("revision", [None, "main", "v1.0", COMMIT[:12]])
def test_a_hub_id_needs_a_whole_commit(revision: str | None):
    with pytest.raises(ValueError, match="commit hash"):
        locate("someone/gendeg", revision)


def test_a_revision_of_a_folder_is_refused(tmp_path: Path):
    with pytest.raises(ValueError, match="no hub repository"):
        locate(tmp_path, COMMIT)


def test_an_unknown_name_says_what_may_be_given():
    with pytest.raises(ValueError, match="gendeg-mini"):
        locate("gendeg-maxi")
