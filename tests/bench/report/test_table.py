from __future__ import annotations

import pytest

from edge_sr.bench.report.numbers import fixed, mib, significant
from edge_sr.bench.report.table import Table, in_markdown, only_filled


@pytest.mark.parametrize(
    ("value", "told"),
    [(4.213, "4.21"), (99.96, "100"), (1234.5, "1,234"), (0.00123, "0.00123"), (0, "0"), (-2.5, "-2.50"), (None, "–")],
)
def test_three_significant_digits(value: float | None, told: str) -> None:
    assert significant(value) == told


@pytest.mark.parametrize(("value", "told"), [(0.126, "+0.13"), (-0.126, "-0.13"), (-0.001, "0.00"), (0.0, "0.00")])
def test_differences_have_a_sign_unless_they_are_none(value: float, told: str) -> None:
    assert fixed(value, 2, sign=True) == told


def test_bytes_in_mib() -> None:
    assert mib(3 * 2**19) == "1.50"


def test_columns_without_anything_are_left_out() -> None:
    table = only_filled(Table("t", ("name", "a", "b"), (("x", "–", "1"), ("y", "–", "–"))))
    assert (table.columns, table.rows) == (("name", "b"), (("x", "1"), ("y", "–")))


def test_text_is_aligned() -> None:
    assert Table("t", ("name", "ms"), (("a", "10.0"), ("long", "1"))).text() == "name    ms\na     10.0\nlong     1\n"


@pytest.mark.parametrize(
    "hostile", ["a|b", "line\nend", "<b>", "[x](javascript:1)", "![x](y)", "`code`", "# head", "*bold*", "\\|"]
)
def test_a_cell_in_markdown_stays_one_cell_of_words(hostile: str) -> None:
    told = in_markdown(hostile)
    bare = told.replace("\\\\", "").replace("\\|", "")
    assert "|" not in bare and "\n" not in told and "<" not in told
    assert all(told[n - 1] == "\\" for n, each in enumerate(told) if each in "[]`*#!")


def test_underscores_within_words_need_no_escape() -> None:
    assert in_markdown("HaarPSI_MED _x_") == "HaarPSI_MED \\_x\\_"
