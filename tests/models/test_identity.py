import pytest

from gends.models.identity import differences

RUN = {"seed": 5, "engine": {"dry": "1", "numpy": "2"}, "crops": (1, 2)}


def test_what_was_stored_as_json_is_the_same():
    assert differences(RUN | {"crops": [1, 2]}, RUN) == ""


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"seed": 6}, "seed was 5 and is now 6"),
        ({"engine": {"dry": "2", "numpy": "2"}}, "engine.dry was '1' and is now '2'"),
        ({"model": "a"}, "model was None and is now 'a'"),
        (
            {"seed": 6, "engine": None},
            "engine was {'dry': '1', 'numpy': '2'} and is now None; seed was 5 and is now 6",
        ),
    ],
)
def test_only_what_differs_is_named(given, words):
    assert differences(RUN | {"crops": [1, 2]}, RUN | given) == words
