from __future__ import annotations

from host_training.figures.markdown import html_of, split_at

TEXT = """intro
goes on

### one & all

below < it

#### deeper

| row | PSNR, dB |
| --- | ---: |
| a <b> | 1.0 [0.9, 1.1] |
| c |  |

### two
"""


def test_headings_part_the_text() -> None:
    before, parts = split_at("### ", TEXT)
    assert before == "intro\ngoes on"
    assert list(parts) == ["one & all", "two"] and parts["two"].strip() == ""
    assert list(split_at("#### ", parts["one & all"])[1]) == ["deeper"]


def test_a_table_keeps_its_cells_and_escapes_them() -> None:
    html = html_of(split_at("### ", TEXT)[1]["one & all"], level=2)
    assert '<th scope="col">PSNR, dB</th>' in html
    assert '<tr><th scope="row">a &lt;b&gt;</th><td>1.0 [0.9, 1.1]</td></tr>' in html
    assert '<tr><th scope="row">c</th><td></td></tr>' in html
    assert "<h3>deeper</h3>" in html and "<p>below &lt; it</p>" in html


def test_lines_of_a_paragraph_are_one() -> None:
    assert html_of("a\nb\n\nc", level=2) == "<p>a b</p>\n<p>c</p>"


def test_nothing_is_nothing() -> None:
    assert html_of("", level=2) == ""
