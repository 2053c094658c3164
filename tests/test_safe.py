import string

from hypothesis import given
from hypothesis import strategies as st

from tracelib.page.safe import HIDDEN, label


@given(st.text(max_size=200))
def test_no_sign_of_markdown_is_left_in_a_label(text):
    left = label(text, 1_000)
    for entity in (f"&#{ord(sign)};" for sign in string.punctuation):
        left = left.replace(entity, "")
    assert not set(left) & set(string.punctuation)


@given(st.text(st.characters(codec="utf-8"), max_size=200))
def test_a_label_is_one_line_without_hidden_signs(text):
    assert not {ord(sign) for sign in label(text, 1_000)} & HIDDEN


def test_a_long_name_is_shortened():
    assert label("a" * 100, 10) == "a" * 9 + "…"
