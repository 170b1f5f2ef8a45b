"""The status socket: asked, answered, and found dead."""

from __future__ import annotations

import socket
import threading
from pathlib import Path

import pytest

from edge_sr.errors import EnvironmentFault
from edge_sr.service.status import KIND, StatusSocket, ask


def answer_one(server: StatusSocket, path: Path) -> dict[str, object] | None:
    answers: list[dict[str, object] | None] = []
    asker = threading.Thread(target=lambda: answers.append(ask(path)), daemon=True)
    asker.start()
    while asker.is_alive():
        server.answer()
    return answers[0]


@pytest.mark.parametrize("folder", [".", "deep" * 40])
def test_a_document_a_connection(tmp_path: Path, folder: str) -> None:
    (tmp_path / folder).mkdir(exist_ok=True)
    path = tmp_path / folder / "status.sock"
    with StatusSocket(path, lambda: {"kind": KIND, "live": True}) as server:
        assert answer_one(server, path) == {"kind": KIND, "live": True}
    assert not path.exists()


def test_nobody_there(tmp_path: Path) -> None:
    path = tmp_path / "status.sock"
    assert ask(path) is None
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(path))
    assert ask(path) is None  # left behind by a process that died


def test_a_dead_ones_socket_is_taken_over(tmp_path: Path) -> None:
    path = tmp_path / "status.sock"
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(path))
    with StatusSocket(path, lambda: {"kind": KIND}) as server:
        assert answer_one(server, path) == {"kind": KIND}


def test_a_file_of_that_name_is_not_removed(tmp_path: Path) -> None:
    path = tmp_path / "status.sock"
    path.write_text("mine")
    with pytest.raises(EnvironmentFault, match="cannot be made"):
        StatusSocket(path, dict)
    assert path.read_text() == "mine"


def test_a_loop_that_does_not_turn(tmp_path: Path) -> None:
    path = tmp_path / "status.sock"
    with StatusSocket(path, lambda: {"kind": KIND}), pytest.raises(EnvironmentFault, match="no answer"):
        ask(path, timeout_s=0.05)


def test_somebody_elses_answer(tmp_path: Path) -> None:
    path = tmp_path / "status.sock"
    with StatusSocket(path, lambda: {"kind": "other"}) as server, pytest.raises(EnvironmentFault, match="no edge-sr"):
        threading.Timer(0.1, server.answer).start()
        ask(path)


def test_who_asks_and_leaves_harms_nobody(tmp_path: Path) -> None:
    path = tmp_path / "status.sock"
    with StatusSocket(path, lambda: {"kind": KIND}) as server:
        with socket.socket(socket.AF_UNIX) as rude:
            rude.connect(str(path))
        server.answer()
        assert answer_one(server, path) == {"kind": KIND}
