from __future__ import annotations

import pytest

from build_engines.device_check.privacy import Private, _telling

ANNA = Private("/home/anna", "/data/ward7", ("annas-board", "anna"))


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("/home/anna/.cache/edge-sr: cannot be read", "~/.cache/edge-sr: cannot be read"),
        ("/data/ward7/report.json", "./report.json"),
        ("/data/ward77/x", "/data/ward77/x"),
        ("ls -ld '/home/someone else", "ls -ld '~ else"),
        ("/srv/anna/engines of Anna on annas-board", "/srv/<name>/engines of <name> on <name>"),
        ("savannah, anna_b, annas", "savannah, <name>_b, annas"),
        ("Linux 5.15.148-tegra, 6 cores", "Linux 5.15.148-tegra, 6 cores"),
    ],
)
def test_paths_and_names_are_taken_out(text: str, left: str) -> None:
    assert ANNA.without(text) == left


def test_every_text_of_a_document_is_cleaned() -> None:
    document = {"a": ["/home/anna", 1.5, None, True], "b": {"c": "anna"}}
    assert ANNA.without(document) == {"a": ["~", 1.5, None, True], "b": {"c": "<name>"}}


def test_a_user_who_is_called_as_a_step_leaves_the_report_as_it_is_read() -> None:
    doctor = Private("/home/doctor", "/data", ("doctor",))
    assert doctor.without({"doctor": {"name": "doctor", "reason": "/home/doctor: no"}}) == {
        "doctor": {"name": "doctor", "reason": "~: no"}
    }


def test_names_that_vendors_give_stay() -> None:
    assert list(_telling(["nvidia", "root", "ubuntu", "Jetson", "", "pi", "anna", "anna"])) == ["anna"]


def test_the_user_and_the_machine_of_this_process_are_known(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("USER", "bernadette")
    monkeypatch.setattr("socket.gethostname", lambda: "quiet-otter.example.org")
    private = Private.here()
    assert private.without("bernadette@quiet-otter, quiet-otter.example.org") == "<name>@<name>, <name>"
