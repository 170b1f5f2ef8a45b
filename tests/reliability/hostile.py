"""Names and kinds of files that a spool meets where people or programs mean harm, or only know no better."""

from __future__ import annotations

import os
import socket
import stat
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

PUBLISHED, QUARANTINED, IGNORED = "published", "quarantined", "ignored"

# Names of good pictures, as bytes.
NAMES = (
    b"a..b.png",
    b"-rf.png",
    b"--help.png",
    b"two words.png",
    b"trailing .png ",
    b"new\nline.png",
    b"return\r.png",
    b"tab\t.png",
    b"\x1b[31mred\x1b]0;title\x07.png",
    b"\x01\x7f.png",
    b"$(touch canary).png",
    b"`id`;rm -r x|y&.png",
    b"%s%n%x{0}{name}.png",
    b"*?[a-z].png",
    b'\'"quotes".png',
    b"C:\\windows\\nul.png",
    b"nul",
    b"no suffix",
    b"reason.json",
    b"lock",
    b"png.png",
    b"%2e%2e%2fescape.png",
    b"a\\..\\escape.png",
    b"x_x4.png",
    b"x_x4.json",
    b"0123456789abcdef0123456789abcdef",
    b"\xff\xfe\x80.png",
    b"\x80" * 100 + b".png",
    b"a" * 251 + b".png",
    b"b" * 255,
    b"s." + b"c" * 253,
    "\u00e4".encode() * 125 + b".png",
    "\u202egnp.exe.png".encode(),
    "zero\u200bwidth\ufeff.png".encode(),
    "e\u0301.png".encode(),
    "\u00e9.png".encode(),
    b"<script>alert(1).png",
    b'{"job":1}.png',
)
# Names that begin with a dot, and those by which other programs mark what is not there yet.
HIDDEN = (
    b"..%2f..%2fescape.png",
    b"..\\..\\escape.png",
    b"...png",
    b".hidden.png",
    b"x.part",
    b"x.png.tmp",
    b"x.partial",
    b"x.filepart",
    b"x.crdownload",
)


@dataclass(frozen=True)
class Case:
    """make: puts it into the folder. end: what must become of it."""

    name: bytes
    make: Callable[[Path], None]
    end: str


def cases(content: Callable[[int], bytes], outside: Path, incoming: Path) -> Iterator[Case]:
    """content: of the n-th good picture. outside: a folder with ``canary.png`` that nobody may touch."""
    for number, name in enumerate(NAMES):
        yield Case(name, _file(incoming, content(number)), PUBLISHED)
    for name in HIDDEN:
        yield Case(name, _file(incoming, content(0)), IGNORED)
    canary = outside / "canary.png"
    for name, target in _links(canary, outside):
        yield Case(name, _link(target), QUARANTINED)
    yield Case(b"hard link.png", lambda path: os.link(canary, path), QUARANTINED)
    yield Case(b"pipe.png", os.mkfifo, QUARANTINED)
    yield Case(b"socket.png", _socket, QUARANTINED)
    if os.geteuid() == 0:
        yield Case(b"zero.png", lambda path: os.mknod(path, 0o666 | stat.S_IFCHR, os.makedev(1, 5)), QUARANTINED)
        yield Case(b"disk.png", lambda path: os.mknod(path, 0o666 | stat.S_IFBLK, os.makedev(7, 0)), QUARANTINED)
    yield Case(b"folder.png", lambda path: path.mkdir(), IGNORED)
    yield Case(b"full folder.png", _full_folder(content(0)), IGNORED)
    yield Case(b"empty.png", _file(incoming, b""), QUARANTINED)
    yield Case(b"sparse.png", _sparse, QUARANTINED)
    yield Case(b"sparse with a beginning.tif", _sparse, QUARANTINED)


def _links(canary: Path, outside: Path) -> Iterator[tuple[bytes, str]]:
    yield b"link.png", str(canary)
    yield b"relative link.png", f"../../{outside.name}/canary.png"
    yield b"link to a folder.png", str(outside)
    yield b"dangling.png", str(outside / "nothing.png")
    yield b"loop.png", "loop.png"
    yield b"endless.png", "/dev/zero"
    yield b"passwords.png", "/etc/passwd"
    yield b"own spool.png", "../state/lock"


def _file(incoming: Path, content: bytes) -> Callable[[Path], None]:
    def make(path: Path) -> None:
        part = incoming / ".being-made"
        part.write_bytes(content)
        part.rename(path)

    return make


def _link(target: str) -> Callable[[Path], None]:
    return lambda path: path.symlink_to(target)


def _socket(path: Path) -> None:
    """Bound through its folder: the whole path is too long for an address."""
    folder = os.open(path.parent, os.O_PATH | os.O_DIRECTORY)
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as made:
            made.bind(f"/proc/self/fd/{folder}/{path.name}")
    finally:
        os.close(folder)


def _full_folder(content: bytes) -> Callable[[Path], None]:
    def make(path: Path) -> None:
        path.mkdir()
        (path / "inside.png").write_bytes(content)

    return make


def _sparse(path: Path) -> None:
    """A terabyte, none of it on the disk."""
    part = path.with_name(".sparse")
    with part.open("wb") as file:
        file.write(b"II*\0" if path.suffix == ".tif" else b"\x89PNG\r\n\x1a\n")
        file.truncate(1 << 40)
    part.rename(path)
