import pytest

from gends.histograms.names import degradation_name


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("haze", "haze"),
        ("Low-Light", "low_light"),
        ("lowlight", "low_light"),
        ("Motion Blur", "motion_blur"),
        ("motion_blur", "motion_blur"),
        ("blur", "motion_blur"),
        ("RainDrops", "raindrop"),
        ("JPEG artefacts", "jpeg_artefacts"),
        ("haze+rain", "haze+rain"),
    ],
)
def test_spellings(text, name):
    assert degradation_name(text) == name


@pytest.mark.parametrize("text", ["", "a.b", "a/b", "+rain"])
def test_what_would_break_a_key_is_refused(text):
    with pytest.raises(ValueError, match="letters, digits"):
        degradation_name(text)
