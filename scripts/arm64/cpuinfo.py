"""An arm64 /proc/cpuinfo for the processor that qemu plays; its own tells of the machine below.

python scripts/arm64/cpuinfo.py HWCAP CORES     (HWCAP: hexadecimal, as LD_SHOW_AUXV=1 shows it)
"""

import sys

# By bit, in the order of arch/arm64/include/uapi/asm/hwcap.h; names as in arch/arm64/kernel/cpuinfo.c.
NAMES = (
    "fp asimd evtstrm aes pmull sha1 sha2 crc32 atomics fphp asimdhp cpuid asimdrdm jscvt fcma lrcpc dcpop sha3 sm3 "
    "sm4 asimddp sha512 sve asimdfhm dit uscat ilrcpc flagm ssbs sb paca pacg"
)
# Of qemu's cortex-a76: its MIDR_EL1 is 0x414fd0b1.
IDENTITY = "CPU implementer\t: 0x41\nCPU architecture: 8\nCPU variant\t: 0x4\nCPU part\t: 0xd0b\nCPU revision\t: 1\n"


def cpuinfo(hwcap: int, cores: int) -> str:
    """One paragraph a core, as Linux writes it. hwcap: AT_HWCAP of getauxval(3)."""
    features = " ".join(name for bit, name in enumerate(NAMES.split()) if hwcap >> bit & 1)
    return "\n".join(f"processor\t: {core}\nFeatures\t: {features}\n{IDENTITY}" for core in range(cores))


if __name__ == "__main__":
    sys.stdout.write(cpuinfo(int(sys.argv[1], 16), int(sys.argv[2])))
