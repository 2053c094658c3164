"""Which colour stands for what: one meaning each, the same on every page."""

from collections.abc import Iterable, Mapping

CATEGORICAL = (
    "#4C6EF5",
    "#F59F00",
    "#12B886",
    "#AE3EC9",
    "#1098AD",
    "#F76707",
    "#7950F2",
    "#74B816",
    "#D6336C",
)
OTHERS = "#868E96"
# All that is left together, beside single ones that are grey.
REST = "#CED4DA"
FAILURE = "#E03131"

REQUESTS = "#4C6EF5"
COST = "#12B886"
TOKENS_IN = "#7950F2"
TOKENS_OUT = "#F59F00"
FROM_CACHE = "#1098AD"
TYPICAL = "#4C6EF5"
SLOW = "#F76707"


def model_colours(ranked: Iterable[str]) -> Mapping[str, str]:
    """Which colour has each model, the most used first? Beyond the ninth all are grey.

    >>> model_colours(["gpt-4o", "claude"])
    {'gpt-4o': '#4C6EF5', 'claude': '#F59F00'}
    """
    return {
        model: CATEGORICAL[rank] if rank < len(CATEGORICAL) else OTHERS
        for rank, model in enumerate(ranked)
    }


def tint(colour: str, opacity: float) -> str:
    """How is this colour written where what is behind it shows through?

    >>> tint("#4C6EF5", 0.12)
    'rgba(76,110,245,0.12)'
    """
    red, green, blue = (int(colour[i : i + 2], 16) for i in (1, 3, 5))
    return f"rgba({red},{green},{blue},{opacity})"
