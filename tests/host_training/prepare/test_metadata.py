"""What a CSV file says about pictures, and filters on it."""

from __future__ import annotations

from pathlib import Path

import pytest

from edge_sr.errors import InputError, UsageError
from host_training.prepare.metadata import (
    Metadata,
    lacks_findings,
    number_of,
    parse_condition,
    read_metadata,
    view_is,
)

NAMES = "Image Index,Finding Labels,Follow-up #,Patient ID,Patient Age,{},View Position,"
LINE = "00000001_001.png,Cardiomegaly|Emphysema,1,1,{},M,PA,2894,2729,0.143,0.144"


def read(folder: Path, *lines: str, file_column: str = "Image Index") -> Metadata:
    (folder / "table.csv").write_text("\n".join(lines), encoding="utf-8")
    return read_metadata(folder / "table.csv", file_column=file_column)


@pytest.mark.parametrize(
    ("header", "line"),
    [
        ("OriginalImage[Width,Height],OriginalImagePixelSpacing[x,y]", LINE.format("58")),
        ("OriginalImage[Width,Height],OriginalImagePixelSpacing[x,y],", LINE.format("58") + ","),
        ("OriginalImage[Width Height] OriginalImagePixelSpacing[x y]", LINE.format("58")),
        ("OriginalImage[Width Height],OriginalImagePixelSpacing[x y]\r", LINE.format("058Y") + "\r"),
    ],
)
@pytest.mark.parametrize("sex", ["Patient Gender", "Patient Sex"])
def test_every_form_of_nihs_file_is_read(tmp_path: Path, header: str, line: str, sex: str) -> None:
    row = read(tmp_path, NAMES.format(sex) + header, line).row("00000001_001.png")
    assert row["View Position"] == "PA" and row[sex] == "M" and row["Patient ID"] == "1"
    assert (row["OriginalImage[Width"], row["Height]"]) == ("2894", "2729")
    assert (row["OriginalImagePixelSpacing[x"], row["y]"]) == ("0.143", "0.144")
    assert number_of(row["Patient Age"]) == 58


def test_a_byte_order_mark_and_quotes_are_no_matter(tmp_path: Path) -> None:
    row = read(tmp_path, '\ufeff"Image Index",Note', '"a.png","one, two"').row("a.png")
    assert row == {"Image Index": "a.png", "Note": "one, two"}


@pytest.mark.parametrize("picture", ["nih/a.png", "nih/a.jpg", "a.png", "images_001/a.TIF"])
def test_a_row_is_found_by_path_or_by_name_and_without_suffix(tmp_path: Path, picture: str) -> None:
    assert read(tmp_path, "path,n", "nih/a.jpg,1", file_column="path").row(picture)["n"] == "1"


def test_an_id_with_dots_is_no_suffix(tmp_path: Path) -> None:
    metadata = read(tmp_path, "uid,n", "1.2.840.5,1", "1.2.840.6,2", file_column="uid")
    assert metadata.row("1.2.840.6.png")["n"] == "2"


def test_a_picture_without_a_row_is_left_out(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no row in the metadata"):
        read(tmp_path, "Image Index,n", "a.png,1").row("b.png")


@pytest.mark.parametrize(
    "lines", [("a.png,1", "a.png,2"), ("x/a.png,1", "y/a.png,2"), ("x/a.png,1", "x/a.jpg,2", "b,1")]
)
def test_two_rows_that_differ_decide_nothing(tmp_path: Path, lines: tuple[str, ...]) -> None:
    with pytest.raises(InputError, match="several rows"):
        read(tmp_path, "Image Index,n", *lines).row("a.png")


def test_two_equal_rows_are_one(tmp_path: Path) -> None:
    assert read(tmp_path, "Image Index,n", "a.png,1", "a.png,1").row("a.png")["n"] == "1"


def test_the_columns_are_listed_where_one_is_misspelt(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"no column 'Image Index', which --file-column asks for; expected file, n"):
        read(tmp_path, "file,n", "a.png,1")


@pytest.mark.parametrize(
    "content", [b"\xff\xfe\x00", b"", b"Image Index,n\na.png,\x001\n"[:0] + b"\x89PNG\r\n\x1a\n\xff"]
)
def test_what_is_no_csv_is_named(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "table.csv").write_bytes(content)
    with pytest.raises(InputError, match=r"table\.csv: (is no CSV file|the file is empty)"):
        read_metadata(tmp_path / "table.csv")


@pytest.mark.parametrize(
    ("text", "age", "passes"),
    [
        ("Patient Age>=18", "18", True),
        ("Patient Age >= 18", "017Y", False),
        ("Patient Age<18", "009M", True),
        ("Patient Age<1", "052W", True),
        ("Patient Age>1", "400D", True),
        ("Patient Age=58", "058Y", True),
        ("Patient Age==58", "58.0", True),
        ("Patient Age!=58", "058", False),
        ("Patient Age>0", "", False),
        ("Patient Age>0", "unknown", False),
        ("Patient Age=unknown", "unknown", True),
        ("Patient Age=Unknown", "unknown", False),
        ("Patient Age!=", "", False),
    ],
)
def test_a_condition_compares_numbers_as_such_and_other_values_as_text(text: str, age: str, passes: bool) -> None:
    assert (parse_condition(text).refuses({"Patient Age": age}) == "") is passes


@pytest.mark.parametrize("text", ["", "Patient Age", ">=18", "Patient Age>=", "Patient Age<adult"])
def test_a_condition_that_says_nothing_is_an_error(text: str) -> None:
    with pytest.raises(UsageError, match="--where"):
        parse_condition(text)


@pytest.mark.parametrize(
    ("views", "passes"), [(("PA",), True), (("AP",), False), (("AP", "PA"), True), (("pa",), False)]
)
def test_a_view_is_one_of_those_asked_for(views: tuple[str, ...], passes: bool) -> None:
    assert (view_is(views).refuses({"View Position": "PA"}) == "") is passes


@pytest.mark.parametrize(("findings", "passes"), [("Mass", True), ("Effusion", False), ("Effus", True)])
def test_a_finding_is_a_whole_label(findings: str, passes: bool) -> None:
    assert (lacks_findings((findings,)).refuses({"Finding Labels": "Cardiomegaly|Effusion"}) == "") is passes


def test_a_refusal_says_what_was_found() -> None:
    assert view_is(("PA",)).refuses({"View Position": "AP"}) == "filtered by View Position: AP"
    assert parse_condition("Age>1").refuses({"Age": ""}) == "filtered by Age: nothing there"
