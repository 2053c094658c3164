"""The theme: readable in light and in dark, by the WCAG's measure for normal text (AA)."""

import tomllib
from pathlib import Path

import pytest

THEME = tomllib.loads((Path(__file__).parent.parent / ".streamlit" / "config.toml").read_text())[
    "theme"
]
READABLE = 4.5


def luminance(colour: str) -> float:
    channels = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    lighter, darker = sorted((luminance(one), luminance(other)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


def test_contrast_is_measured_as_the_standard_does():
    assert contrast("#FFFFFF", "#000000") == pytest.approx(21)
    assert contrast("#FFFFFF", "#777777") == pytest.approx(4.48, abs=0.01)


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("text", ["textColor", "primaryColor", "linkColor", "redTextColor"])
@pytest.mark.parametrize("ground", ["backgroundColor", "secondaryBackgroundColor"])
def test_text_is_readable_on_its_ground(scheme, text, ground):
    colours = THEME[scheme]
    assert contrast(colours[text], colours[ground]) >= READABLE


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_menu_is_readable(scheme):
    sidebar = THEME[scheme]["sidebar"]
    assert contrast(THEME[scheme]["textColor"], sidebar["backgroundColor"]) >= READABLE
