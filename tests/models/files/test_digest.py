import pytest

from gends.models.files.digest import digest_folder


@pytest.fixture
def part(tmp_path):
    (tmp_path / "config.json").write_text("{}")
    (tmp_path / "weights.safetensors").write_bytes(b"abc")
    return tmp_path


def test_contents_and_names_count(part):
    before = digest_folder(part)
    assert digest_folder(part) == before
    (part / "weights.safetensors").write_bytes(b"abd")
    changed = digest_folder(part)
    (part / "weights.safetensors").rename(part / "other.safetensors")
    assert len({before, changed, digest_folder(part)}) == 3


def test_what_is_no_part_of_a_model_does_not_count(part):
    before = digest_folder(part)
    (part / "README.md").write_text("hello")
    (part / ".DS_Store").write_bytes(b"x")
    assert digest_folder(part) == before
