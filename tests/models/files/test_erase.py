from __future__ import annotations

from gends.models.files.erase import erase


def test_what_a_link_leads_to_stays(tmp_path):
    (tmp_path / "victim" / "sub").mkdir(parents=True)
    (tmp_path / "victim" / "sub" / "precious").write_text("kept")
    (tmp_path / "ours" / "deeper").mkdir(parents=True)
    (tmp_path / "ours" / "deeper" / "inner").symlink_to(tmp_path / "victim")
    (tmp_path / "outer").symlink_to("victim")
    (tmp_path / "dangling").symlink_to("nowhere")
    (tmp_path / "file").write_text("-")
    for name in ("ours", "outer", "dangling", "file", "never there"):
        erase(tmp_path / name)
    assert [path.name for path in tmp_path.iterdir()] == ["victim"]
    assert (tmp_path / "victim" / "sub" / "precious").read_text() == "kept"
