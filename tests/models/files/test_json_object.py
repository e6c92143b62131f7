from dataclasses import dataclass

import pytest

from gends.models.files.json_object import construct, read_object


@dataclass
class Size:
    side: int = 8
    scale: float = 1.0

    def __post_init__(self) -> None:
        if self.side < 1:
            raise ValueError("side must be 1 or more")


@pytest.mark.parametrize(
    ("text", "says"),
    [("[1]", "expected an object"), ("{", "no JSON"), ("[" * 10**5, "no JSON")],
)
def test_a_file_that_holds_no_object_is_named(tmp_path, text, says):
    file = tmp_path / "size.json"
    file.write_text(text)
    with pytest.raises(ValueError, match=rf"size\.json: {says}"):
        read_object(file)
    with pytest.raises(ValueError, match=r"none\.json: No such file"):
        read_object(tmp_path / "none.json")


def test_what_json_leaves_out_has_its_default():
    assert construct(Size, {"scale": 2}) == Size(side=8, scale=2)


@pytest.mark.parametrize(
    ("values", "says"),
    [
        ({"width": 3}, "unknown key 'width'; known: side, scale"),
        ({"side": 3.0}, "side is 3.0; give int"),
        ({"side": True}, "side is True; give int"),
        ({"side": 0}, "side must be 1 or more"),
        ([3], "expected an object"),
    ],
)
def test_values_of_another_kind_are_refused(values, says):
    with pytest.raises(ValueError, match=says):
        construct(Size, values)
