from __future__ import annotations

import base64
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from edge_sr.bench.schema import parse_report, read_report, write_report
from edge_sr.errors import InputError, IntegrityError
from tests.bench.reports import PNG, REPORT, VARIANT

Spoil = Callable[[dict[str, Any]], object]


def test_a_report_is_read_back_as_it_was_written(tmp_path: Path) -> None:
    write_report(tmp_path / "bench.json", REPORT)
    assert read_report(tmp_path / "bench.json") == REPORT


def test_the_document_begins_with_what_it_is() -> None:
    assert list(REPORT.to_json())[:3] == ["schema_version", "kind", "simulated"]


def test_a_field_that_has_a_default_may_be_missing() -> None:
    document = REPORT.to_json()
    del document["variants"][0]["quality"], document["power"]
    found = parse_report(document)
    assert found.power is None and found.variants[0].quality is None


def _of_latency(**values: Any) -> Spoil:
    return lambda document: document["variants"][0]["latency"].update(values)


@pytest.mark.parametrize(
    ("spoil", "named"),
    [
        (_of_latency(p50_ms="5"), r"variants\[0\]\.latency\.p50_ms: got '5'; expected a number"),
        (_of_latency(calls=2.5), r"latency\.calls: got 2.5; expected an integer"),
        (_of_latency(p99=1.0), r"latency\.p99: unknown field"),
        (_of_latency(samples_ms=[1.0, None]), r"samples_ms\[1\]: got None"),
        (lambda document: document["variants"][0].update(size=[64]), r"size: got \[64\]; expected a list of 2"),
        (lambda document: document["variants"][0].pop("key"), r"key: field is missing; expected a string"),
        (lambda document: document.update(simulated=0), "simulated: got 0; expected true or false"),
        (lambda document: document.update(kind="a report"), "expected edge-sr bench"),
        (lambda document: document.update(schema_version=2), "pip install --upgrade edge-sr"),
        (lambda document: document.update(pictures={"x": "bm8="}), r"pictures\.x: is no PNG in base64"),
        (lambda document: document.update(pictures={"x": PNG + '"><script>'}), r"pictures\.x: is no PNG in base64"),
    ],
)
def test_what_is_unfit_is_named(spoil: Spoil, named: str) -> None:
    document = REPORT.to_json()
    spoil(document)
    with pytest.raises(IntegrityError, match=named):
        parse_report(document)


def test_a_file_that_is_missing_is_a_fault_of_the_input(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"none\.json"):
        read_report(tmp_path / "none.json")


def test_a_variant_is_found_by_its_key() -> None:
    assert REPORT.variant(VARIANT.key) is VARIANT and REPORT.variant("other") is None


def test_pictures_may_make_it_longer_than_a_manifest_may_be(tmp_path: Path) -> None:
    raw = base64.b64decode(PNG) + b"\0" * (2 << 20)
    path = tmp_path / "bench.json"
    document = REPORT.to_json()
    document["pictures"] = {"large": base64.b64encode(raw).decode()}
    write_report(path, parse_report(document))
    assert len(read_report(path).pictures["large"]) > 2 << 20
