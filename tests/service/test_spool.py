from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from edge_sr.errors import EnvironmentFault
from edge_sr.service.spool import FOLDERS, AnotherInstance, Spool
from tests.service.spools import new_spool

HOLD = """
import sys
from edge_sr.service.spool import Spool
with Spool.open(sys.argv[1]) as spool:
    spool.lock()
    print("held", flush=True)
    sys.stdin.read()
"""


def test_the_folders_are_made_and_the_private_ones_are_private(tmp_path: Path) -> None:
    with new_spool(tmp_path) as spool:
        modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in spool.path.iterdir()}
    assert set(modes) == set(FOLDERS)
    assert modes["work"] == modes["state"] == 0o700
    assert json.loads((tmp_path / "spool" / "state" / "spool.json").read_text())["layout"] == 1


def test_private_folders_that_are_wider_are_narrowed(tmp_path: Path) -> None:
    new_spool(tmp_path).close()
    (tmp_path / "spool" / "work").chmod(0o777)
    new_spool(tmp_path).close()
    assert stat.S_IMODE((tmp_path / "spool" / "work").stat().st_mode) == 0o700


def test_a_command_makes_nothing(tmp_path: Path) -> None:
    with pytest.raises(EnvironmentFault, match="cannot be opened"):
        Spool.open(tmp_path / "spool")
    assert list(tmp_path.iterdir()) == []


def test_the_parent_must_be_there(tmp_path: Path) -> None:
    with pytest.raises(EnvironmentFault, match="mkdir -p"):
        Spool.open(tmp_path / "no" / "spool", make=True)


@pytest.mark.parametrize("kind", ["link", "file"])
def test_a_folder_that_is_none_is_refused(tmp_path: Path, kind: str) -> None:
    (tmp_path / "spool").mkdir()
    (tmp_path / "elsewhere").mkdir()
    if kind == "link":
        (tmp_path / "spool" / "outgoing").symlink_to(tmp_path / "elsewhere")
    else:
        (tmp_path / "spool" / "outgoing").write_text("mine")
    with pytest.raises(EnvironmentFault, match="outgoing"):
        new_spool(tmp_path)
    assert list((tmp_path / "elsewhere").iterdir()) == []


@pytest.mark.parametrize("options", [["-t", "tmpfs", "tmpfs"], ["--bind", "."]])
def test_a_mount_inside_is_refused(tmp_path: Path, options: list[str]) -> None:
    new_spool(tmp_path).close()
    done = tmp_path / "spool" / "done"
    if subprocess.run(["mount", *options, done], cwd=tmp_path, capture_output=True).returncode:
        pytest.skip("cannot mount here")
    try:
        with pytest.raises(EnvironmentFault, match="done lies on another file system than incoming"):
            new_spool(tmp_path)
    finally:
        subprocess.run(["umount", "-l", done], check=True)  # also where the spool was opened against the rule


def test_a_later_layout_is_refused_and_an_earlier_one_is_taken(tmp_path: Path) -> None:
    new_spool(tmp_path).close()
    mark = tmp_path / "spool" / "state" / "spool.json"
    mark.write_text('{"layout": 2, "version": "9.0"}')
    with pytest.raises(EnvironmentFault, match="layout 2, made by a later release"):
        new_spool(tmp_path)
    assert json.loads(mark.read_text())["layout"] == 2
    mark.write_text('{"layout": 0}')
    new_spool(tmp_path).close()
    assert json.loads(mark.read_text())["layout"] == 1


def test_what_a_spool_without_a_mark_holds_is_kept(tmp_path: Path) -> None:
    (tmp_path / "spool" / "incoming").mkdir(parents=True)
    (tmp_path / "spool" / "incoming" / "a.png").write_bytes(b"old")
    new_spool(tmp_path).close()
    assert (tmp_path / "spool" / "incoming" / "a.png").read_bytes() == b"old"


def test_the_second_service_is_told_the_pid_of_the_first(tmp_path: Path) -> None:
    with new_spool(tmp_path) as spool:
        holder = subprocess.Popen(
            [sys.executable, "-c", HOLD, spool.path], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        assert holder.stdout is not None and holder.stdout.readline() == "held\n"
        with pytest.raises(AnotherInstance, match=f"process {holder.pid} ") as caught:
            spool.lock()
        assert caught.value.pid == spool.holder() == holder.pid
        holder.kill()
        holder.communicate()
        assert spool.holder() is None
        spool.lock()
        assert spool.holder() == os.getpid()


def test_closing_leaves_no_descriptor(tmp_path: Path) -> None:
    before = len(list(Path("/proc/self/fd").iterdir()))
    with new_spool(tmp_path) as spool:
        spool.lock()
    assert len(list(Path("/proc/self/fd").iterdir())) == before
