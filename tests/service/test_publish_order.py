"""The order of the system calls, as the kernel sees them, and a disk that is really full."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from edge_sr.service.claims import claim
from edge_sr.service.faults import DiskFull
from edge_sr.service.publish import publish
from edge_sr.service.retries import DiskSpace
from edge_sr.service.spool import Spool
from tests.service.spools import finish, listing, new_spool, output_of, put

ROOT = Path(__file__).resolve().parents[2]
SERVE = """
import sys
from pathlib import Path
from edge_sr.service.spool import Spool
from tests.service.spools import serve
with Spool.open(Path(sys.argv[1])) as spool:
    for group in sys.argv[2:]:
        serve(spool, *group.split(","))
"""
CALL = re.compile(r"(fsync|renameat2|rename|unlink\w*|rmdir)\((.*)\) = 0$")


@pytest.mark.skipif(shutil.which("strace") is None, reason="needs strace")
@pytest.mark.parametrize("groups", [["a", "b", "c"], ["a,b,c"]])
def test_the_order_is_files_names_folder_claim(tmp_path: Path, groups: list[str]) -> None:
    with new_spool(tmp_path) as spool:
        for name in "abc":
            put(spool, name, name.encode())
    words = ["strace", "-f", "-y", "-o", tmp_path / "trace", "-e", "trace=fsync,rename,renameat2,unlink,unlinkat,rmdir"]
    traced = subprocess.run(
        [*words, sys.executable, "-c", SERVE, spool.path, *groups], cwd=ROOT, capture_output=True, text=True
    )
    if "ptrace" in traced.stderr:
        pytest.skip("strace may not trace here")
    assert traced.returncode == 0, traced.stderr
    calls = [found.groups() for line in (tmp_path / "trace").read_text().splitlines() if (found := CALL.search(line))]
    for name in "abc":
        check_order(calls, name)


def place(calls: list[tuple[str, str]], name: str, *words: str, after: int = -1) -> int:
    """Of the first such call after another one."""
    for number, (call, text) in enumerate(calls):
        if number > after and call == name and all(word in text for word in words):
            return number
    pytest.fail(f"no {name} of {words} after call {after}")


def check_order(calls: list[tuple[str, str]], name: str) -> None:
    claimed = place(calls, "renameat2", f'/incoming>, "{name}"')
    job = re.search(r'"(\w{32})/', calls[claimed][1])
    assert job is not None
    synced = [place(calls, "fsync", f"/outgoing/.{job[1]}{suffix}.part>") for suffix in (".json", ".png")]
    sidecar = place(calls, "renameat2", f'".{job[1]}.json.part"', f'"{name}_x4.json"')
    picture = place(calls, "renameat2", f'".{job[1]}.png.part"', f'"{name}_x4.png"')
    folder = place(calls, "fsync", "/outgoing>", after=picture)
    dropped = place(calls, "renameat2", f'"{job[1]}/{name}"', "/done>")
    done = place(calls, "fsync", "/done>", after=dropped)
    assert claimed < max(synced) < sidecar < picture < folder < dropped < done
    assert not [text for call, text in calls if call == "rename"]  # that one would replace


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    disk = tmp_path / "disk"
    disk.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=96k", "tmpfs", disk], capture_output=True).returncode:
        pytest.skip("cannot mount a tmpfs here")
    yield disk
    subprocess.run(["umount", "-l", disk], check=True)  # also where a test left something open


def test_a_full_disk_shows_nothing_and_goes_on_when_there_is_room(small_disk: Path) -> None:
    with new_spool(small_disk) as spool:
        for name in "ab":
            put(spool, name, name.encode())
        held = [taken for name in "ab" if (taken := claim(spool, name))]
        filler = fill(small_disk)
        while filler.exists():
            with pytest.raises(DiskFull):
                publish(spool, [output_of(each, each.name.encode()) for each in held])
            assert listing(spool)["outgoing"] == [] and len(listing(spool)["work"]) == 4
            if filler.stat().st_size <= 4096:
                filler.unlink()
            else:
                with filler.open("r+b") as file:
                    file.truncate(filler.stat().st_size - 4096)
            if DiskSpace(spool).free_bytes() >= 4 * 4096:
                break
        finish(spool, held)
        assert listing(spool)["outgoing"] == ["a_x4.json", "a_x4.png", "b_x4.json", "b_x4.png"]


def fill(disk: Path) -> Path:
    with (disk / "filler").open("wb", buffering=0) as file:
        try:
            while True:
                file.write(bytes(4096))
        except OSError:
            return disk / "filler"


def test_a_full_disk_is_asked_and_not_tried(small_disk: Path) -> None:
    now = [100.0]
    with new_spool(small_disk) as spool:
        space = DiskSpace(spool, clock=lambda: now[0])
        assert space.may_go_on()
        space.ran_out(4096)
        now[0] += 10
        assert space.full and not space.may_go_on()  # of 96 KiB no MiB is ever free
        space._spool = Spool.open(new_elsewhere(small_disk.parent))
        assert not space.may_go_on()  # asked a moment ago
        now[0] += 2
        assert space.may_go_on() and not space.full
        space._spool.close()


def new_elsewhere(folder: Path) -> Path:
    (folder / "large").mkdir()
    new_spool(folder / "large").close()
    return folder / "large" / "spool"
