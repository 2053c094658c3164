import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracelib.page.text.markdown_escape import WORD_JOINER, label
from tracelib.signs import HIDDEN, visible


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


@pytest.mark.parametrize(
    ("text", "parted"),
    [
        ("HTTP://a", "HTTP:/|/a"),
        ("WWW.a", "WWW|.a"),
        ("a@b", "a|@b"),
        (":streamlit: :material_home: 1:100:2", ":|streamlit: :|material_home: 1:|100:2"),
        ("a -> b <- c -- d", "a -|> b <|- c -|- d"),
        ("<-> a ---> b x>=y", "<|-> a ---> b x>=y"),
        (">= <= ~=", ">|= <|= ~|="),
    ],
)
def test_what_streamlit_finds_in_plain_words_is_parted(text, parted):
    left = label(text, 1_000).replace(WORD_JOINER, "|")
    for sign in string.punctuation:
        left = left.replace(f"&#{ord(sign)};", sign)
    assert left == parted


def test_marks_do_not_cover_the_lines_around():
    assert label("e" + "\u0301" * 1_000 + "f") == "e" + "\u0301" * 4 + "f"


def test_signs_that_act_unseen_are_written_out_and_scripts_left_alone():
    assert visible("\u202ea\u2066\U000e0041\x00\x9b\ud800") == (
        "⟨U+202E⟩a⟨U+2066⟩⟨U+E0041⟩⟨U+0000⟩⟨U+009B⟩⟨U+D800⟩"
    )
    written = "a\tb\r\nשלום\u200f! नमस्ते ทั้งที่ 👩\u200d💻 é ⟨"
    assert visible(written) == written


@given(st.text(max_size=200))
def test_what_is_visible_can_be_sent_and_stays(text):
    once = visible(text)
    once.encode("utf-8")
    assert visible(once) == once
