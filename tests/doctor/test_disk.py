from __future__ import annotations

import errno
import shutil
import tempfile
from pathlib import Path

import pytest

from edge_sr.doctor import packages
from edge_sr.doctor.cache import check_cache
from edge_sr.doctor.disk import check_output, checks
from tests.doctor import boards
from tests.doctor.boards import surroundings


def read_only(monkeypatch: pytest.MonkeyPatch) -> None:
    """As a disk that was mounted so: also root cannot write."""

    def refuse(dir: Path) -> object:
        raise OSError(errno.EROFS, "Read-only file system")

    monkeypatch.setattr(tempfile, "TemporaryFile", refuse)


def free(monkeypatch: pytest.MonkeyPatch, mib: int) -> None:
    usage = shutil.disk_usage("/")._replace(free=mib << 20)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage)


def test_an_output_folder_that_is_missing_says_how_to_make_it(tmp_path: Path) -> None:
    check = check_output(tmp_path / "out")
    assert (check.status, check.hint) == ("fault", f"mkdir -p {tmp_path / 'out'}")


def test_an_output_folder_is_left_as_it_was(tmp_path: Path) -> None:
    assert check_output(tmp_path).status == "ok"
    assert list(tmp_path.iterdir()) == []


def test_a_read_only_disk_is_a_fault(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    read_only(monkeypatch)
    check = check_output(tmp_path)
    assert (check.status, check.found) == ("fault", f"{tmp_path}: Read-only file system")


@pytest.mark.parametrize(("mib", "status"), [(99, "note"), (100, "ok")])
def test_little_room_for_pictures(mib: int, status: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    free(monkeypatch, mib)
    assert check_output(tmp_path).status == status


def test_a_cache_that_is_not_made_yet(engine_cache: Path) -> None:
    check = check_cache()
    assert check.status == "ok"
    assert check.found.startswith(f"{engine_cache}, made by the first build, ")
    assert not engine_cache.exists()


def test_a_cache_tells_its_owner_and_mode(engine_cache: Path) -> None:
    engine_cache.mkdir(parents=True)
    engine_cache.chmod(0o755)
    assert "mode 0755" in check_cache().found


def test_a_cache_that_cannot_be_written(engine_cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    read_only(monkeypatch)
    check = check_cache()
    assert (check.status, check.hint) == ("note", "EDGE_SR_CACHE=/another/folder edge-sr build")
    assert "Read-only file system" in check.found


def test_little_room_for_a_build(engine_cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    free(monkeypatch, 511)
    check = check_cache()
    assert (check.status, check.hint.startswith("edge-sr engines prune")) == ("note", True)


def test_without_numpy_the_cache_is_left_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packages, "packages_work", lambda: False)
    assert [check.name for check in checks(surroundings(boards.laptop(tmp_path)))] == ["output"]
