"""How the traffic went over the range: the charts of Overview that share one time axis."""

import pandas as pd
import streamlit as st

from tracelib.asking.memory import Answer
from tracelib.charts import traffic
from tracelib.charts.base import TimeAxis
from tracelib.page import ground
from tracelib.page.cards import chart


def over_time_charts(series: Answer[pd.DataFrame], axis: TimeAxis) -> None:
    """Requests across the page; cost, response time, tokens and errors two by two below."""
    chart("Requests", series, traffic.requests, axis)
    left, right = st.columns(2)
    with left:
        chart("Cost", series, traffic.cost, axis)
        chart("Response time", series, traffic.response_time, axis, caption=ground.RESPONSE_TIME)
    with right:
        chart("Tokens", series, traffic.tokens, axis, caption=ground.TOKENS)
        chart("Error rate", series, traffic.error_rate, axis)
