"""What the units promise, directive by directive."""

from __future__ import annotations

from pathlib import Path

import pytest

from edge_sr.cli.exit_codes import USAGE

from .conftest import UNITS
from .unit_file import directives

SERVICE = directives(UNITS / "edge-sr.service", "Service")
BUILD = directives(UNITS / "edge-sr-build.service", "Service")
UNIT = directives(UNITS / "edge-sr.service", "Unit")
BOTH = pytest.mark.parametrize("service", [SERVICE, BUILD], ids=["edge-sr", "edge-sr-build"])


def test_systemd_is_told_and_waits_for_signs_of_life() -> None:
    assert SERVICE["Type"] == ["notify"] and SERVICE["NotifyAccess"] == ["main"]
    assert SERVICE["WatchdogSec"] == ["60s"]


def test_it_is_started_anew_but_not_for_ever() -> None:
    assert SERVICE["Restart"] == ["on-failure"] and SERVICE["RestartSec"] == ["5s"]
    assert SERVICE["RestartPreventExitStatus"] == [str(USAGE)]
    assert UNIT["StartLimitIntervalSec"] == ["15min"]
    assert int(UNIT["StartLimitBurst"][0]) > 5 * 8  # one it dies on is set aside at the eighth


def test_a_stop_reaches_the_service_before_its_decoder() -> None:
    assert SERVICE["KillSignal"] == ["SIGTERM"] and SERVICE["KillMode"] == ["mixed"]
    assert SERVICE["TimeoutStopSec"] == ["60s"]


def test_a_decoder_killed_for_its_memory_is_not_the_end() -> None:
    assert SERVICE["OOMPolicy"] == ["continue"]


def test_a_failing_build_does_not_keep_the_service_from_starting() -> None:
    assert "edge-sr-build.service" in UNIT["Wants"] and "edge-sr-build.service" in UNIT["After"]
    assert not {"Requires", "Requisite", "BindsTo", "PartOf"} & UNIT.keys()
    assert SERVICE["Environment"].count("EDGE_SR_WATCH_MODEL=default,fast,bicubic") == 1


def test_a_restart_of_the_service_does_not_wait_for_the_build_again() -> None:
    assert BUILD["Type"] == ["oneshot"] and BUILD["RemainAfterExit"] == ["yes"]


def test_failures_call_the_hook() -> None:
    for unit in ("edge-sr.service", "edge-sr-build.service"):
        assert directives(UNITS / unit, "Unit")["OnFailure"] == ["edge-sr-failed@%p.service"]
    hook = UNITS / "edge-sr-failed@.service"
    assert directives(hook, "Unit")["ConditionFileIsExecutable"] == ["/etc/edge-sr/failed"]
    assert directives(hook, "Service")["ExecStart"] == ["/usr/bin/env /etc/edge-sr/failed %i.service"]


@BOTH
def test_no_network(service: dict[str, list[str]]) -> None:
    assert service["PrivateNetwork"] == ["yes"] and service["IPAddressDeny"] == ["any"]
    assert service["RestrictAddressFamilies"] == ["AF_UNIX"]  # a socketpair hands pictures to the decoder


@BOTH
def test_no_device_but_the_gpu(service: dict[str, list[str]]) -> None:
    assert service["DevicePolicy"] == ["closed"]
    for device in service["DeviceAllow"]:
        path, mode = device.split()
        assert path.startswith(("/dev/nv", "/dev/host1x-fence", "/dev/dri/renderD128")) and mode == "rw"


@pytest.mark.parametrize("needed", ["nvidiactl", "nvidia0", "nvidia-uvm", "nvmap", "nvgpu/igpu0/ctrl", "host1x-fence"])
def test_the_gpu_can_be_reached(needed: str) -> None:
    assert f"/dev/{needed} rw" in SERVICE["DeviceAllow"]


@BOTH
def test_nobody_special(service: dict[str, list[str]]) -> None:
    assert service["User"] == service["Group"] == ["edge-sr"]
    assert service["CapabilityBoundingSet"] == service["AmbientCapabilities"] == [""]
    assert service["NoNewPrivileges"] == ["yes"]


def test_what_it_writes_others_of_the_group_may_read() -> None:
    assert SERVICE["UMask"] == ["0027"]
    assert SERVICE["RuntimeDirectory"] == ["edge-sr"] and SERVICE["RuntimeDirectoryMode"] == ["0750"]


def test_only_the_build_writes_engines() -> None:
    """An engine is executable code, and the service opens files of strangers."""
    assert SERVICE["ProtectSystem"] == BUILD["ProtectSystem"] == ["strict"]
    assert SERVICE["ReadWritePaths"] == ["/var/spool/edge-sr"] and "StateDirectory" not in SERVICE
    assert "ReadWritePaths" not in BUILD and BUILD["StateDirectory"] == ["edge-sr edge-sr/engines"]
    assert BUILD["UMask"] == ["0022"] and BUILD["StateDirectoryMode"] == ["0755"]


def test_no_radiograph_in_a_core_dump() -> None:
    assert SERVICE["LimitCORE"] == ["0"]


def test_both_stand_in_the_same_sandbox() -> None:
    own = {
        *("Type", "NotifyAccess", "ExecStart", "TimeoutStartSec", "WatchdogSec", "Restart", "RestartSec", "KillMode"),
        *("RestartPreventExitStatus", "KillSignal", "TimeoutStopSec", "OOMPolicy", "Environment", "UMask", "TasksMax"),
        *("ReadWritePaths", "RuntimeDirectory", "RuntimeDirectoryMode", "StateDirectory", "StateDirectoryMode"),
        *("RemainAfterExit", "Nice", "InaccessiblePaths"),
    }
    assert {k: v for k, v in SERVICE.items() if k not in own} == {k: v for k, v in BUILD.items() if k not in own}


def test_each_relaxation_changes_one_directive() -> None:
    changed = {}
    for path in (UNITS / "drop-ins").glob("relax-*.conf"):
        ((name, values),) = directives(path, "Service").items()
        assert SERVICE[name] != values, path.name
        changed[path.stem] = name
    assert changed == {
        "relax-memory": "MemoryDenyWriteExecute",
        "relax-users": "PrivateUsers",
        "relax-resources": "SystemCallFilter",
        "relax-system-calls": "SystemCallFilter",
    }


def modes() -> dict[str, str]:
    lines = (UNITS / "edge-sr.tmpfiles").read_text("utf-8").splitlines()
    rows = (line.split() for line in lines if line and not line.startswith("#"))
    found = {}
    for kind, path, mode, user, group, age in rows:
        assert (kind, user, group, age) == ("d", "edge-sr", "edge-sr", "-"), path  # "-": nothing is ever removed
        found[Path(path).name] = mode
    return found


def test_folders_let_in_whom_they_should() -> None:
    found = modes()
    assert found["incoming"] == "2770"
    assert found["outgoing"] == found["done"] == found["quarantine"] == "2750"
    assert found["work"] == found["state"] == "0700"
    assert found["engines"] == "0755"


def test_the_example_environment_says_what_the_unit_says() -> None:
    lines = (UNITS / "edge-sr.env").read_text("utf-8").splitlines()
    active = [line for line in lines if line and not line.startswith("#")]
    defaults = [value.strip('"') for value in SERVICE["Environment"] + BUILD["Environment"]]
    assert len(active) == 4
    for line in active:
        assert line.replace('"', "") in defaults
