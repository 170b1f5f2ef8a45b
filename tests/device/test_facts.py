from __future__ import annotations

from pathlib import Path

import pytest

from edge_sr.device.facts import board_name, cpu_features, cpu_model, instructions, memory_mib, read_facts
from tests.doctor import boards

X86 = """\
processor\t: 0
model name\t: Intel(R) Xeon(R) Processor
flags\t\t: fpu avx2 avx512f avx512_vnni amx_int8
vmx flags\t: vnmi avx_vnni

processor\t: 1
model name\t: Intel(R) Xeon(R) Processor
flags\t\t: fpu avx2 avx512f avx512_vnni amx_int8
"""
ORIN = """\
processor\t: 0
BogoMIPS\t: 62.50
Features\t: fp asimd evtstrm aes crc32 atomics fphp asimdhp asimddp
CPU implementer\t: 0x41
"""


def test_x86_tells_its_model_and_its_int8_instructions() -> None:
    assert cpu_model(X86) == "Intel(R) Xeon(R) Processor"
    assert cpu_features(X86) == ("avx512_vnni", "amx_int8")


def test_arm64_tells_features_and_no_model() -> None:
    assert cpu_model(ORIN) is None
    assert cpu_features(ORIN) == ("asimddp",)


def test_instructions_are_sorted_and_those_that_choose_kernels() -> None:
    assert instructions(X86) == ("amx_int8", "avx2", "avx512_vnni", "avx512f")
    assert instructions(ORIN) == ("asimd", "asimddp", "asimdhp")
    assert instructions("") is None


def test_a_feature_counts_only_where_every_core_has_it() -> None:
    assert cpu_features(ORIN + "\nprocessor\t: 1\nFeatures\t: fp asimd\n") == ()


def test_a_system_without_cpuinfo_is_unknown_and_not_poor() -> None:
    assert cpu_features("") is None


@pytest.mark.parametrize(
    ("text", "mib"), [("MemFree: 1 kB\nMemTotal:        7990000 kB\n", 7802), ("", None), ("MemTotal: lots\n", None)]
)
def test_memory_is_told_in_mib(text: str, mib: int | None) -> None:
    assert memory_mib(text) == mib


def test_the_device_tree_ends_in_nul() -> None:
    assert board_name("NVIDIA Jetson Orin Nano Developer Kit\0") == "NVIDIA Jetson Orin Nano Developer Kit"
    assert board_name("") is None


def test_this_machine_can_be_read() -> None:
    facts = read_facts()
    assert facts.cores >= 1
    assert facts.machine


def test_another_machine_can_be_read_from_its_files(tmp_path: Path) -> None:
    facts = read_facts(boards.orin_nano_jp6(tmp_path))
    assert facts.board is not None and facts.board.startswith("NVIDIA Jetson Orin Nano")
    assert (facts.memory_mib, facts.available_mib) == (7802, 5000)
    assert facts.cpu_features == ("asimddp",)
