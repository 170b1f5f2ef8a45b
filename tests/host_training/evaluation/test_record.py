from __future__ import annotations

import json
from pathlib import Path

import pytest

from edge_sr.errors import UsageError
from host_training.evaluation.record import SCHEMA_VERSION, as_json, condensed, read_record


def test_a_list_of_numbers_stands_on_one_line() -> None:
    record = {"radial": [1.0, 0.25, -3e-05], "rows": [{"key": "[1, 2"}], "none": []}
    text = as_json(record)
    assert json.loads(text) == record
    assert "[ 1.0, 0.25, -3e-05 ]" in text


@pytest.mark.parametrize("content", ['{"schema_version": 1}', "[]", "{", '{"schema_version": 3}'])
def test_what_is_no_record_of_this_schema_is_refused(tmp_path: Path, content: str) -> None:
    path = tmp_path / "metrics.json"
    path.write_text(content)
    with pytest.raises(UsageError, match=r"metrics\.json") as refused:
        read_record(path)
    assert refused.value.where == str(path)


def test_a_record_of_this_schema_is_read(tmp_path: Path) -> None:
    (tmp_path / "metrics.json").write_text(as_json({"schema_version": SCHEMA_VERSION}))
    assert read_record(tmp_path / "metrics.json") == {"schema_version": SCHEMA_VERSION}


def test_what_a_bundle_carries_has_no_curves() -> None:
    rows = {"bicubic": {"energy_ratio": [1.0], "radial": [1.0, 2.0]}}
    record = {"sets": {"toy": {"scales": {"256": {"spectrum": {"rows": rows}}}}}}
    short = condensed(record)
    assert short["sets"]["toy"]["scales"]["256"]["spectrum"]["rows"] == {"bicubic": {"energy_ratio": [1.0]}}
    assert "radial" in rows["bicubic"]
