from __future__ import annotations

from xml.etree import ElementTree

from edge_sr.svg import at, circle, document, inline, legend, line, polyline, rect, text

HOSTILE = '<b> & "quoted"'


def test_a_document_is_a_file_of_its_own() -> None:
    content = [rect(0, 0, 1, 2, "#fff"), at(1, 2, line(0, 0, 1, 1)), text(0, 0, HOSTILE), *legend([("a", "#000")], y=2)]
    root = ElementTree.fromstring(document(20, 10, content))
    assert root.tag == "{http://www.w3.org/2000/svg}svg"
    assert HOSTILE in list(root.itertext())


def test_an_inline_picture_says_what_it_shows() -> None:
    root = ElementTree.fromstring(inline(20, 10, [], name="n", title=HOSTILE, description="d"))
    title, description = root
    assert root.get("aria-labelledby", "").split() == [title.get("id"), description.get("id")]
    assert (title.text, description.text) == (HOSTILE, "d")


def test_tips_are_titles_of_their_element() -> None:
    for element in (rect(0, 0, 1, 1, "red", tip=HOSTILE), circle(0, 0, 1, "red", tip=HOSTILE)):
        assert [child.text for child in ElementTree.fromstring(element)] == [HOSTILE]


def test_a_polyline_goes_through_its_points() -> None:
    root = ElementTree.fromstring(polyline([(0, 1), (2.5, 3)], "red"))
    assert root.get("points") == "0,1 2.5,3"
