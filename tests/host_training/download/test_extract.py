"""Archives as they should be, and as somebody with ill intent or a bad cable makes them."""

from __future__ import annotations

import gzip
import io
import stat
import tarfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from edge_sr.errors import IntegrityError
from host_training.download.extract import MAX_MEMBER_BYTES, survey, unpack
from tests.host_training.download.shop import packed, pictures

FILES = pictures(1, 3)
NAMES = sorted(FILES)


@pytest.fixture
def out(tmp_path: Path) -> Path:
    """The folder to unpack into; what an archive could reach from it is tmp_path."""
    folder = tmp_path / "home" / "out"
    folder.mkdir(parents=True)
    return folder


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    path = tmp_path / "a.tar.gz"
    path.write_bytes(packed(FILES))
    return path


def files_below(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def member(name: str, **fields: object) -> bytes:
    """The header of one member, with content of as many zeros as its size says."""
    info = tarfile.TarInfo(name)
    for field, value in fields.items():
        setattr(info, field, value)
    size = info.size if info.type in (tarfile.REGTYPE, tarfile.AREGTYPE) else 0
    return info.tobuf(tarfile.GNU_FORMAT) + bytes(-(-size // 512) * 512)


def test_what_an_archive_holds(archive: Path) -> None:
    assert survey(archive) == {name: len(content) for name, content in FILES.items()}


def test_files_come_out_as_they_went_in(archive: Path, out: Path) -> None:
    done = unpack(archive, out, total=3)
    assert (done.new, done.there, done.kept) == (3, 0, [])
    assert files_below(out) == FILES


def test_files_get_the_modes_of_any_new_file(tmp_path: Path, out: Path) -> None:
    path = tmp_path / "modes.tar.gz"
    path.write_bytes(gzip.compress(member("images/a.png", mode=0o4777, size=3, uid=1, gname="root") + bytes(1024)))
    unpack(path, out, total=1)
    (out / "plain").write_bytes(b"")
    assert stat.S_IMODE((out / "images/a.png").stat().st_mode) == stat.S_IMODE((out / "plain").stat().st_mode)


def test_a_leading_dot_is_no_part_of_a_name(tmp_path: Path, out: Path) -> None:
    path = tmp_path / "dots.tar.gz"
    path.write_bytes(packed({"./images/./a.png": b"a"}))
    assert survey(path) == {"images/a.png": 1}
    unpack(path, out, total=1)
    assert files_below(out) == {"images/a.png": b"a"}


def test_an_archive_of_several_gzip_members_is_read_to_its_end(tmp_path: Path) -> None:
    raw = gzip.decompress(packed(FILES))
    path = tmp_path / "a.tar.gz"
    path.write_bytes(gzip.compress(raw[:700]) + gzip.compress(raw[700:]))
    assert list(survey(path)) == NAMES


HOSTILE = {
    "climbs": (member("../evil.png", size=1), "leads out"),
    "climbs later": (member("images/../../evil.png", size=1), "leads out"),
    "absolute": (member("/tmp/evil.png", size=1), "leads out"),
    "backslash": (member("images\\..\\evil.png", size=1), "leads out"),
    "line break": (member("images/a\nb.png", size=1), "leads out"),
    "escape sequence": (member("images/\x1b[2Jb.png", size=1), "leads out"),
    "not UTF-8": (member("images/\udcff.png", size=1), "leads out"),
    "endless name": (member("images/" + "a" * 3000, size=1), "leads out"),
    "no name": (member(".", size=1), "leads out"),
    "receipt": (member("archives/b.tar.gz.receipt.json", size=1), "leads out"),
    "symbolic link": (member("images/a.png", type=tarfile.SYMTYPE, linkname="/etc/passwd"), "symbolic link"),
    "linked folder": (member("images", type=tarfile.SYMTYPE, linkname="../.."), "symbolic link"),
    "hard link": (member("images/a.png", type=tarfile.LNKTYPE, linkname="/etc/passwd"), "hard link"),
    "device": (member("images/a.png", type=tarfile.CHRTYPE, devmajor=1, devminor=3), "device"),
    "block device": (member("images/a.png", type=tarfile.BLKTYPE, devmajor=8), "device"),
    "pipe": (member("images/a.png", type=tarfile.FIFOTYPE), "pipe"),
    "sparse": (member("images/a.png", type=tarfile.GNUTYPE_SPARSE), "sparse"),
    "unknown kind": (member("images/a.png", type=b"9"), "unknown"),
    "twice": (member("images/a.png", size=1) + member("./images/a.png", size=1), "twice"),
    "oversized": (member("images/a.png", size=0)[:124] + b"%011o\0" % (MAX_MEMBER_BYTES + 1), "67108865 bytes"),
    "bomb": (member("images/a.png", size=8 << 20), "unpacks to too much"),
    "bomb of headers": (b"".join(member(f"{i}", type=tarfile.DIRTYPE) for i in range(3000)), "unpacks to too much"),
    "gigantic long name": (member("././@LongLink", type=b"L", size=1 << 32), "damaged"),
    "header upon header": (member("a", type=b"L", size=1) * 1500, "damaged|too much"),
}


def checksummed(header: bytes) -> bytes:
    """A cut header, filled up to 512 bytes and with its right checksum."""
    block = bytearray(header.ljust(512, b"\0"))
    block[257:265] = b"ustar  \0"
    block[148:156] = b" " * 8
    block[148:156] = b"%06o\0 " % sum(block)
    return bytes(block)


@pytest.mark.parametrize("kind", HOSTILE)
def test_a_hostile_archive_is_refused_before_anything_is_written(tmp_path: Path, out: Path, kind: str) -> None:
    raw, message = HOSTILE[kind]
    good = gzip.decompress(packed(FILES)).rstrip(b"\0")
    good += bytes(-len(good) % 512)
    path = tmp_path / "hostile.tar.gz"
    path.write_bytes(gzip.compress(good + (checksummed(raw) if len(raw) % 512 else raw) + bytes(1024)))
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(IntegrityError, match=message) as caught:
        survey(path)
    assert "hostile.tar.gz" in str(caught.value)
    assert str(caught.value).isprintable() or "\n  try" in str(caught.value)
    assert sorted(tmp_path.rglob("*")) == before


def test_unpacking_looks_again_for_itself(tmp_path: Path, out: Path) -> None:
    path = tmp_path / "hostile.tar.gz"
    path.write_bytes(gzip.compress(member("../evil.png", size=1) + bytes(1024)))
    with pytest.raises(IntegrityError, match="leads out"):
        unpack(path, out, total=1)
    assert not files_below(tmp_path / "home")


def noise(seed: int) -> bytes:
    return np.random.default_rng(seed).bytes(40_000)


def spoilt_header(content: bytes) -> bytes:
    """The second header overwritten, gzip's checksum in order: tarfile takes this for the end."""
    raw = bytearray(gzip.decompress(content))
    at = raw.index(b"images/b.png")
    raw[at : at + 200] = b"\xff" * 200
    return gzip.compress(bytes(raw))


def flipped(at: float) -> Callable[[bytes], bytes]:
    def flip(content: bytes) -> bytes:
        spoilt = bytearray(content)
        spoilt[int(at * len(content)) if at >= 0 else int(at)] ^= 0x10
        return bytes(spoilt)

    return flip


DAMAGES: dict[str, Callable[[bytes], bytes]] = {
    "empty": lambda content: b"",
    "no gzip": lambda content: b"<html>" + content,
    "no tar": lambda content: gzip.compress(b"not a tar file" * 100),
    "only zeros": lambda content: gzip.compress(bytes(10240)),
    "cut in the gzip header": lambda content: content[:5],
    "cut in the first file": lambda content: content[: len(content) // 5],
    "cut in the last file": lambda content: content[:-3000],
    "cut before gzip's checksum": lambda content: content[:-8],
    "cut in gzip's checksum": lambda content: content[:-2],
    "a bit flipped early": flipped(0.2),
    "a bit flipped late": flipped(0.8),
    "a bit flipped in gzip's checksum": flipped(-6),
    "something after the end": lambda content: content + b"more",
    "a spoilt header": spoilt_header,
    "tar cut, gzip whole": lambda content: gzip.compress(gzip.decompress(content)[:50_000]),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_archive_is_noticed(tmp_path: Path, damage: str) -> None:
    path = tmp_path / "damaged.tar.gz"
    path.write_bytes(DAMAGES[damage](packed({f"images/{name}.png": noise(i) for i, name in enumerate("abc")})))
    with pytest.raises(IntegrityError, match=r"damaged\.tar\.gz"):
        survey(path)


def test_random_damage_is_noticed_or_harmless(tmp_path: Path) -> None:
    """Bytes of the tar overwritten inside a whole gzip: an error of ours, or files below the folder."""
    raw = gzip.decompress(packed({f"images/{name}.png": name.encode() for name in "abcdefgh"}))
    rng = np.random.default_rng(0)
    path = tmp_path / "a.tar.gz"
    refused = 0
    for _ in range(100):
        spoilt = bytearray(raw[:9000])
        at = int(rng.integers(0, len(spoilt), 1)[0])
        spoilt[at : at + 4] = rng.bytes(4)
        block = at // 512 * 512
        spoilt[block : block + 512] = checksummed(bytes(spoilt[block : block + 512]))
        path.write_bytes(gzip.compress(bytes(spoilt) + bytes(1024), 1))
        try:
            survey(path)
        except IntegrityError:
            refused += 1
    assert refused


def test_existing_files_of_the_same_content_are_left_alone(archive: Path, out: Path) -> None:
    unpack(archive, out, total=3)
    times = {name: (out / name).stat().st_mtime_ns for name in NAMES}
    done = unpack(archive, out, total=3)
    assert (done.new, done.there, done.kept) == (0, 3, [])
    assert {name: (out / name).stat().st_mtime_ns for name in NAMES} == times


def test_unpacking_goes_on_where_it_stopped(archive: Path, out: Path) -> None:
    unpack(archive, out, total=3)
    (out / NAMES[1]).unlink()
    done = unpack(archive, out, total=3)
    assert (done.new, done.there) == (1, 2)
    assert files_below(out) == FILES


@pytest.mark.parametrize("content", [b"", b"mine", bytes(len(FILES[NAMES[1]]))])
def test_an_existing_file_is_never_written_over(archive: Path, out: Path, content: bytes) -> None:
    (out / "images").mkdir()
    (out / NAMES[1]).write_bytes(content)
    done = unpack(archive, out, total=3)
    assert (done.new, done.kept) == (2, [out / NAMES[1]])
    assert files_below(out) == {**FILES, NAMES[1]: content}


def test_links_and_folders_in_the_way_stay(archive: Path, out: Path, tmp_path: Path) -> None:
    (out / "images").mkdir()
    (out / NAMES[0]).symlink_to(tmp_path / "elsewhere")
    (out / NAMES[1]).mkdir()
    done = unpack(archive, out, total=3)
    assert done.kept == [out / NAMES[0], out / NAMES[1]]
    assert (out / NAMES[0]).readlink() == tmp_path / "elsewhere"
    assert not (tmp_path / "elsewhere").exists()


def test_a_file_where_the_folder_should_be_stays(archive: Path, out: Path) -> None:
    (out / "images").write_bytes(b"mine")
    assert len(unpack(archive, out, total=3).kept) == 3
    assert files_below(out) == {"images": b"mine"}


def test_the_folder_may_lie_on_another_disk(archive: Path, out: Path, tmp_path: Path) -> None:
    (tmp_path / "disk").mkdir()
    (out / "images").symlink_to(tmp_path / "disk")
    assert unpack(archive, out, total=3).new == 3
    assert len(list((tmp_path / "disk").iterdir())) == 3


def test_an_archive_as_tar_makes_it(tmp_path: Path) -> None:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w:gz", format=tarfile.PAX_FORMAT) as tar:
        info = tarfile.TarInfo("images/" + "ä" * 60 + ".png")
        info.size = 1
        tar.addfile(info, io.BytesIO(b"a"))
    path = tmp_path / "pax.tar.gz"
    path.write_bytes(stream.getvalue())
    assert survey(path) == {info.name: 1}
