from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from transformers import CLIPTokenizer

from gends.models.degradations import DEGRADATIONS
from gends.models.gendeg.instruction.tokenizer import (
    build_tokenizer,
    load_tokenizer,
    phrase_words,
    save_tokenizer,
)


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory: pytest.TempPathFactory) -> CLIPTokenizer:
    return build_tokenizer(phrase_words(), tmp_path_factory.mktemp("tokenizer"), length=32)


def test_each_word_of_the_phrases_is_one_token(tokenizer: CLIPTokenizer):
    for word in phrase_words():
        assert len(tokenizer(word)["input_ids"]) == 3
    ids = {tuple(tokenizer(d.phrase)["input_ids"]) for d in DEGRADATIONS.values()}
    assert len(ids) == len(DEGRADATIONS)
    assert max(map(len, ids)) <= 16


def test_padding_is_the_end_token(tokenizer: CLIPTokenizer):
    ids = tokenizer("", padding="max_length")["input_ids"]
    assert ids == [tokenizer.bos_token_id] + [tokenizer.eos_token_id] * 31


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.text(st.characters(codec="utf-8"), max_size=20))
def test_no_text_is_unknown(tokenizer: CLIPTokenizer, text: str):
    ids = tokenizer(text)["input_ids"]
    assert ids[0] == tokenizer.bos_token_id
    assert set(ids[1:-1]).isdisjoint({tokenizer.bos_token_id, tokenizer.eos_token_id})


def test_saved_and_loaded_whatever_it_was_used_for(tokenizer: CLIPTokenizer, tmp_path: Path):
    save_tokenizer(tokenizer, tmp_path / "before")
    tokenizer(["a", "b c"], padding="max_length", truncation=True, max_length=5)
    save_tokenizer(tokenizer, tmp_path / "after")
    loaded = CLIPTokenizer.from_pretrained(tmp_path / "after")
    text = "a street, with raindrops in it"
    assert loaded(text) == tokenizer(text)
    assert (loaded.model_max_length, loaded.pad_token_id) == (32, tokenizer.eos_token_id)
    for path in (tmp_path / "before").iterdir():
        assert path.read_bytes() == (tmp_path / "after" / path.name).read_bytes()


@pytest.mark.parametrize("word", ["Haze", "x", "two words", "schön", ""])
def test_what_is_no_word_is_refused(tmp_path: Path, word: str):
    with pytest.raises(ValueError, match="lower-case"):
        build_tokenizer([word], tmp_path)


def test_words_that_break_each_other_are_refused(tmp_path: Path):
    with pytest.raises(ValueError, match="abc"):
        build_tokenizer(["bcd", "abcd"], tmp_path)


@pytest.mark.parametrize("text", [None, "{}"])
def test_a_tokenizer_that_has_lost_its_length_is_refused(
    tokenizer: CLIPTokenizer, tmp_path: Path, text: str | None
):
    save_tokenizer(tokenizer, tmp_path)
    path = tmp_path / "tokenizer_config.json"
    path.unlink()
    if text is not None:
        path.write_text(text, encoding="utf-8")
    with pytest.raises(ValueError, match=r"tokenizer_config\.json.*: copy the model's tokenizer"):
        load_tokenizer(tmp_path)


@pytest.mark.parametrize("rules", [0, 1, 30])
def test_merges_cut_short_are_refused(tokenizer: CLIPTokenizer, tmp_path: Path, rules: int):
    save_tokenizer(tokenizer, tmp_path)
    path = tmp_path / "merges.txt"
    lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
    path.write_text("".join(lines[: rules + 1]), encoding="utf-8")
    with pytest.raises(
        ValueError, match=r"merges\.txt: nothing makes '.*' of vocab\.json"
    ) as caught:
        load_tokenizer(tmp_path)
    assert len(str(caught.value).splitlines()) == 1
