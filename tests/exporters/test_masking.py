"""A peer that repeats a secret does not get it into a log."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from otlp_kit.exporters.masking import masked, secrets_in

TOKEN = "s3cr3t-t0k3n"


def test_a_word_of_a_header_is_hidden_wherever_it_stands() -> None:
    """Alone, with the word before it, and several times."""
    secrets = secrets_in({"authorization": f"Bearer {TOKEN}", "x-tenant": "a"})
    for answer in (f"unknown {TOKEN}", f"Bearer {TOKEN}?", f"{TOKEN}{TOKEN}"):
        assert TOKEN not in masked(answer, secrets)
        assert TOKEN.encode() not in masked(answer.encode(), secrets)


@given(st.binary(), st.binary())
def test_the_length_stays(before: bytes, after: bytes) -> None:
    """So that what is in front of a text, its length, is still right."""
    answer = before + TOKEN.encode() + after
    assert len(masked(answer, secrets_in({"key": TOKEN}))) == len(answer)


def test_what_is_short_is_no_secret() -> None:
    """Else a reason would be full of stars that hide nothing."""
    assert secrets_in({"x-tenant": "eu", "x-raw-bin": b"\x00" * 40}) == ()
    assert masked("in eu", secrets_in({"x-tenant": "eu"})) == "in eu"
