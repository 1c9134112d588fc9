"""The picture: well-formed, complete, self-contained, and inert."""

from __future__ import annotations

import re
from xml.etree import ElementTree

from hypothesis import given

from otlp_kit.model import Span
from otlp_kit.views.waterfall import Waterfall
from tests.views.forests import TRACE, forests

NS = "{http://www.w3.org/2000/svg}"
ALLOWED = {"svg", "title", "desc", "style", "rect", "text", "path", "circle"}


def parsed(spans: list[Span]) -> ElementTree.Element:
    return ElementTree.fromstring(Waterfall(spans).svg())


@given(forests)
def test_an_xml_parser_finds_one_bar_a_span(spans: list[Span]) -> None:
    """Whatever is in the names."""
    bars = [r for r in parsed(spans).iter(f"{NS}rect") if "bar" in r.get("class", "").split()]
    assert len(bars) == len(spans)


@given(forests)
def test_every_bar_lies_inside_the_picture(spans: list[Span]) -> None:
    """Horizontally and vertically."""
    root = parsed(spans)
    _, _, width, height = map(float, root.get("viewBox", "").split())
    for rect in root.iter(f"{NS}rect"):
        x, y, w, h = (float(rect.get(name, "")) for name in ("x", "y", "width", "height"))
        assert 0 <= x <= x + w <= width
        assert 0 <= y <= y + h <= height


@given(forests)
def test_no_name_becomes_an_element_an_attribute_or_a_reference(spans: list[Span]) -> None:
    """Only the elements that the drawing uses, no handlers, nothing to fetch."""
    for element in parsed(spans).iter():
        assert element.tag.removeprefix(NS) in ALLOWED
        assert not any(name.startswith("on") or "href" in name for name in element.attrib)
    assert "url(" not in Waterfall(spans).svg()


def test_markup_in_a_name_is_shown_as_text() -> None:
    """And so it is in the tooltip."""
    name = '<img src=x onerror="alert(1)">'
    root = parsed([Span(name, TRACE, b"1" * 8, b"", 1, 2)])
    assert name in [text.text for text in root.iter(f"{NS}text")]
    assert any((title.text or "").startswith(name) for title in root.iter(f"{NS}title"))


def test_a_screen_reader_is_told_what_it_is() -> None:
    """One image, with a name, a title and a description."""
    root = parsed([Span("tea", TRACE, b"1" * 8, b"", 1, 2)])
    assert root.get("role") == "img"
    assert root.get("aria-label") == f"Waterfall of trace {TRACE.hex()}: 1 span, 1 ns, 0 errors"
    assert [child.tag for child in root[:2]] == [f"{NS}title", f"{NS}desc"]


def test_every_colour_of_the_style_can_be_changed_by_the_host() -> None:
    """Light and dark come from the system, and from the variables of a host that knows better."""
    svg = Waterfall([Span("tea", TRACE, b"1" * 8, b"", 1, 2)]).svg()
    assert "prefers-color-scheme:dark" in svg
    for name in ("surface", "ink", "muted", "line", "error"):
        assert len(re.findall(rf"var\(--otlp-{name},#", svg)) == 2
