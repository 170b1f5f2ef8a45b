"""scripts/install-service, into a folder that stands for a machine: nothing is started there."""

from __future__ import annotations

import fcntl
import os
import subprocess
import threading
from pathlib import Path

import pytest

from .conftest import PREFIX, Installer
from .wheels import write_wheel

ENV_FILE = "etc/edge-sr/edge-sr.env"
UNIT = "usr/local/lib/systemd/system/edge-sr.service"
COMMAND = "current/bin/edge-sr"


def snapshot(folder: Path) -> dict[str, str | bytes]:
    """Every path below, with its content or where it points to."""
    found: dict[str, str | bytes] = {}
    for path in sorted(folder.rglob("*")):
        name = str(path.relative_to(folder))
        if path.is_symlink():
            found[name] = str(path.readlink())
        else:
            found[name] = path.read_bytes() if path.is_file() else "folder"
    return found


def test_a_first_install_is_complete(installer: Installer) -> None:
    name = installer.install("1.0.0")
    assert name.startswith("1.0.0-")
    files = snapshot(installer.machine)
    assert {ENV_FILE, UNIT, "usr/local/lib/sysusers.d/edge-sr.conf", "usr/local/lib/tmpfiles.d/edge-sr.conf"} <= set(
        files
    )
    assert f"ExecStart={PREFIX}/current/bin/edge-sr watch" in (installer.machine / UNIT).read_text()
    assert not [path for path, content in files.items() if path.endswith(".service") and b"@PREFIX@" in bytes(content)]


def test_nothing_names_the_folder_that_stands_for_the_machine(installer: Installer) -> None:
    name = installer.install("1.0.0")
    files = snapshot(installer.root / "current").items()
    assert not [
        path
        for path, content in files
        if str(installer.machine).encode() in (content if isinstance(content, bytes) else b"")
    ]
    assert (installer.root / "current/bin/other").read_text() == f"#!{PREFIX}/releases/{name}/bin/python\n"


def test_the_same_again_changes_nothing(installer: Installer) -> None:
    installer.install("1.0.0")
    before = snapshot(installer.machine)
    done = installer("install", installer.wheel("1.0.0"))
    assert "is installed already" in done.stdout
    assert snapshot(installer.machine) == before


def test_an_upgrade_keeps_the_release_before(installer: Installer) -> None:
    old = installer.install("1.0.0")
    new = installer.install("1.1.0")
    assert (installer.current(), installer.current("previous")) == (new, old)
    assert (installer.root / "releases" / old / "bin" / "edge-sr").exists()


def test_another_build_of_one_version_is_another_release(installer: Installer) -> None:
    old = installer.install("1.0.0")
    Path(installer.wheel("1.0.0")).write_text("mended")
    assert installer.install("1.0.0") != old


def test_no_more_than_two_releases_stay(installer: Installer) -> None:
    first, second = installer.install("1.0.0"), installer.install("1.1.0")
    Path(installer.wheel("1.1.0")).write_text("third")
    third = installer.install("1.1.0")
    assert {path.name for path in (installer.root / "releases").iterdir()} == {second, third} and first != second


def test_settings_of_the_owner_are_kept(installer: Installer) -> None:
    installer.install("1.0.0")
    (installer.machine / ENV_FILE).write_text("EDGE_SR_SPOOL=/data\n")
    done = installer("install", installer.wheel("1.1.0"))
    assert (installer.machine / ENV_FILE).read_text() == "EDGE_SR_SPOOL=/data\n"
    assert f"kept: {installer.machine / ENV_FILE}" in done.stdout


def test_settings_behind_a_link_are_kept(installer: Installer) -> None:
    target = installer.machine / ENV_FILE
    target.parent.mkdir(parents=True)
    target.symlink_to("/srv/not-mounted-yet.env")
    installer.install("1.0.0")
    assert target.readlink() == Path("/srv/not-mounted-yet.env")


def test_rollback_brings_back_the_release_and_its_units(installer: Installer) -> None:
    old = installer.install("1.0.0")
    unit = installer.checkout / "systemd" / "edge-sr.service"
    unit.write_text(unit.read_text().replace("WatchdogSec=60s", "WatchdogSec=90s"))
    new = installer.install("1.1.0")
    assert "WatchdogSec=90s" in (installer.machine / UNIT).read_text()
    assert installer("rollback").returncode == 0
    assert (installer.current(), installer.current("previous")) == (old, new)
    assert "WatchdogSec=60s" in (installer.machine / UNIT).read_text()


def test_rollback_of_a_rollback_goes_forth(installer: Installer) -> None:
    installer.install("1.0.0")
    new = installer.install("1.1.0")
    installer("rollback")
    installer("rollback")
    assert installer.current() == new


def test_rollback_needs_no_checkout(installer: Installer) -> None:
    old = installer.install("1.0.0")
    installer.install("1.1.0")
    (installer.root / "install-service").replace(installer.checkout / "scripts" / "install-service")
    for name in ("systemd", "dist"):
        (installer.checkout / name).rename(installer.checkout / f"no-{name}")
    assert installer("rollback").returncode == 0
    assert installer.current() == old


def test_rollback_without_a_release_before_says_so(installer: Installer) -> None:
    installer.install("1.0.0")
    done = installer("rollback")
    assert done.returncode == 3 and "no release before this one" in done.stderr


def test_at_no_moment_is_there_no_release(installer: Installer) -> None:
    installer.install("1.0.0")
    installer.install("1.1.0")
    missing, over = [], threading.Event()

    def look() -> None:
        while not over.is_set():
            try:
                (installer.root / COMMAND).stat()
            except OSError as error:
                missing.append(error)

    reader = threading.Thread(target=look)
    reader.start()
    for _ in range(6):
        installer("rollback")
    over.set()
    reader.join()
    assert not missing


@pytest.mark.parametrize("fault", [{"PIP_FAILS": "1"}, {"WATCH_FAILS": "3"}])
def test_a_failed_install_leaves_the_running_release(installer: Installer, fault: dict[str, str]) -> None:
    installer.install("1.0.0")
    before = snapshot(installer.machine)
    assert installer("install", installer.wheel("1.1.0"), env=fault).returncode != 0
    assert snapshot(installer.machine) == before


def test_an_install_that_was_broken_off_is_begun_anew(installer: Installer) -> None:
    name = installer.install("1.0.0")
    release = installer.root / "releases" / name
    (release / ".complete").unlink()
    (release / "bin" / "edge-sr").write_text("half of it")
    installer.install("1.0.0")
    assert "echo" in (release / "bin" / "edge-sr").read_text()


def test_uninstall_leaves_what_is_the_owner_s(installer: Installer) -> None:
    installer.install("1.0.0")
    picture = installer.machine / "var/spool/edge-sr/incoming/a.png"
    picture.parent.mkdir(parents=True)
    picture.write_text("somebody's")
    done = installer("uninstall")
    assert done.returncode == 0 and "kept: the spool with its pictures" in done.stdout
    files = {path for path, content in snapshot(installer.machine).items() if content != "folder"}
    assert files == {ENV_FILE, "var/spool/edge-sr/incoming/a.png"}


def test_uninstall_twice_is_no_error(installer: Installer) -> None:
    installer.install("1.0.0")
    assert [installer("uninstall").returncode for _ in range(2)] == [0, 0]


def test_a_drop_in_is_laid_over_and_taken_off(installer: Installer) -> None:
    installer.install("1.0.0")
    folders = [installer.machine / f"etc/systemd/system/{name}.service.d" for name in ("edge-sr", "edge-sr-build")]
    assert installer("drop-in", "relax-memory").returncode == 0
    assert all((folder / "relax-memory.conf").exists() for folder in folders)
    installer("drop-in", "relax-memory", "off")
    assert not any(folder.exists() for folder in folders)


def test_a_drop_in_survives_an_upgrade(installer: Installer) -> None:
    installer.install("1.0.0")
    installer("drop-in", "spool-elsewhere")
    laid = installer.machine / "etc/systemd/system/edge-sr.service.d/spool-elsewhere.conf"
    laid.write_text("[Service]\nReadWritePaths=/mine\n")
    installer.install("1.1.0")
    assert "/mine" in laid.read_text()


def test_an_unknown_drop_in_is_told_with_those_there_are(installer: Installer) -> None:
    installer.install("1.0.0")
    done = installer("drop-in", "relax-all")
    assert done.returncode == 3 and "relax-memory" in done.stderr


@pytest.mark.parametrize(("wheels", "told"), [((), "is missing"), (("1.0.0", "1.1.0"), "several wheels")])
def test_without_one_wheel_it_says_what_to_type(installer: Installer, wheels: tuple[str, ...], told: str) -> None:
    for version in wheels:
        Path(installer.wheel(version)).rename(installer.checkout / "dist" / f"edge_sr-{version}-py3-none-any.whl")
    done = installer("install")
    assert done.returncode == 3 and told in done.stderr and "make wheel" in done.stderr


@pytest.mark.parametrize("prefix", ["/home/me/edge-sr", "/root/x", "/tmp/x", "relative", "/opt/two words"])
def test_a_place_that_the_service_could_not_see_is_refused(installer: Installer, prefix: str) -> None:
    done = installer("install", installer.wheel("1.0.0"), env={"PREFIX": prefix})
    assert done.returncode == 3 and "PREFIX=/opt/edge-sr" in done.stderr
    assert not installer.machine.exists()


def test_only_root_may(installer: Installer) -> None:
    stub = installer.checkout / "id"
    stub.write_text("#!/bin/sh\necho 1000\n")
    stub.chmod(0o755)
    path = f"{installer.checkout}:{os.environ['PATH']}"
    done = installer("uninstall", env={"DESTDIR": "", "PATH": path})
    assert done.returncode == 3 and "sudo " in done.stderr


def test_two_at_a_time_are_refused(installer: Installer) -> None:
    installer.install("1.0.0")
    with (installer.root / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        done = installer("rollback")
    assert done.returncode == 3 and "another one is at work" in done.stderr


def test_an_unknown_command_is_told(installer: Installer) -> None:
    done = installer("instal")
    assert done.returncode == 3 and "install, rollback, drop-in or uninstall" in done.stderr


def test_a_real_virtual_environment_starts_by_its_later_name(installer: Installer) -> None:
    python = "/usr/bin/python3"
    asked = [python, "-c", "import ensurepip"]
    if not Path(python).exists() or subprocess.run(asked, capture_output=True, check=False).returncode:
        pytest.skip(f"{python} with venv is missing; try: apt-get install python3-venv")
    wheel = Path(installer.wheel("1.0.0"))
    write_wheel(wheel, "def main():\n    print('small')\n")
    done = installer("install", str(wheel), env={"PYTHON": python, "PIP_NO_INDEX": "1", "EXTRAS": "cpu"})
    assert done.returncode == 0, done.stderr
    script = (installer.root / COMMAND).read_text()
    first_lines = script.splitlines()[:2]  # pip gives a path too long for a first line to a shell, in the second
    assert f"{PREFIX}/releases/{installer.current()}/bin/python" in "".join(first_lines)
    told = subprocess.check_output([installer.root / "current/bin/python", "-c", "import edge_sr_small as s; s.main()"])
    assert told == b"small\n"
