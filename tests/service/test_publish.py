from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from uuid import uuid4

import pytest

from edge_sr.service.claims import Claim
from edge_sr.service.publish import existing, publish
from edge_sr.service.spool import Spool
from tests.service.spools import contents, listing, new_spool, output_of
from tests.service.test_rename import HOSTILE


@pytest.fixture
def spool(tmp_path: Path) -> Iterator[Spool]:
    with new_spool(tmp_path) as opened:
        yield opened


@pytest.fixture
def outgoing(spool: Spool) -> Path:
    return spool.path / "outgoing"


def a_claim(name: str) -> Claim:
    return Claim(uuid4().hex, name)


@pytest.mark.parametrize("name", HOSTILE)
def test_a_picture_and_its_sidecar_appear_and_nothing_else(spool: Spool, outgoing: Path, name: str) -> None:
    output = output_of(a_claim(name), b"input")
    (published,) = publish(spool, [output])
    assert contents(outgoing) == {published.picture: output.picture, published.sidecar: output.sidecar}
    assert not published.existed and existing(spool, name, output.job_key) is not None


def test_the_same_job_again_is_the_result_that_is_there(spool: Spool, outgoing: Path) -> None:
    first, second = (output_of(a_claim("a.png"), b"input") for _ in range(2))
    publish(spool, [first])
    before = contents(outgoing)
    (published,) = publish(spool, [second])
    assert published.existed and published.picture == "a_x4.png" and published.job == second.claim.job
    assert contents(outgoing) == before


def test_the_same_bytes_under_another_name_are_published_under_that_name(spool: Spool, outgoing: Path) -> None:
    publish(spool, [output_of(a_claim("a.png"), b"input"), output_of(a_claim("b.png"), b"input")])
    assert contents(outgoing)["a_x4.png"] == contents(outgoing)["b_x4.png"]


def test_other_bytes_under_the_same_name_get_their_keys_digits(spool: Spool, outgoing: Path) -> None:
    first, second = output_of(a_claim("a.png"), b"first"), output_of(a_claim("a.jpg"), b"second")
    names = [each.picture for each in publish(spool, [first, second])]  # in one group too
    assert names == ["a_x4.png", f"a_x4.{second.job_key[:8]}.png"]
    assert [contents(outgoing)[name] for name in names] == [first.picture, second.picture]
    assert existing(spool, "a.jpg", second.job_key) is not None


@pytest.mark.parametrize("suffix", [".png", ".json"])
@pytest.mark.parametrize("kind", ["file", "folder", "link", "picture of somebody else"])
def test_what_somebody_else_put_there_is_kept(spool: Spool, outgoing: Path, suffix: str, kind: str) -> None:
    path = outgoing / f"a_x4{suffix}"
    if kind == "folder":
        path.mkdir()
    elif kind == "link":
        path.symlink_to(spool.path / "secret")
    else:
        path.write_bytes(b"mine" if kind == "file" else output_of(a_claim("a.png"), b"other").picture)
    before = path.lstat()
    output = output_of(a_claim("a.png"), b"input")
    (published,) = publish(spool, [output])
    assert published.picture == f"a_x4.{output.job_key[:8]}.png"
    assert path.lstat().st_mtime_ns == before.st_mtime_ns and len(listing(spool)["outgoing"]) == 3
    assert not (spool.path / "secret").exists()


def test_a_lost_sidecar_is_written_again(spool: Spool, outgoing: Path) -> None:
    output = output_of(a_claim("a.png"), b"input")
    publish(spool, [output])
    (outgoing / "a_x4.json").unlink()
    publish(spool, [output])
    assert contents(outgoing) == {"a_x4.png": output.picture, "a_x4.json": output.sidecar}


def test_a_sidecar_without_its_picture_gets_the_record_of_the_new_one(spool: Spool, outgoing: Path) -> None:
    output = output_of(a_claim("a.png"), b"input")
    (outgoing / "a_x4.json").write_text(json.dumps({"job": output.claim.job, "job_key": "of an earlier engine"}))
    publish(spool, [output])
    assert contents(outgoing) == {"a_x4.png": output.picture, "a_x4.json": output.sidecar}


def test_a_pair_whose_picture_was_cut_short_is_no_result(spool: Spool, outgoing: Path) -> None:
    output = output_of(a_claim("a.png"), b"input")
    publish(spool, [output])
    (outgoing / "a_x4.png").write_bytes(output.picture[:-5])
    assert existing(spool, "a.png", output.job_key) is None
    (published,) = publish(spool, [output])
    assert contents(outgoing)[published.picture] == output.picture and published.picture != "a_x4.png"


def test_a_name_taken_between_the_look_and_the_rename_is_kept(spool: Spool, outgoing: Path, monkeypatch) -> None:
    from edge_sr.service import publish as module

    rename = module.rename_noreplace

    def racing(source: str, target: str, **folders: int) -> None:
        if target == "a_x4.png":
            (outgoing / target).write_bytes(b"mine")
        rename(source, target, **folders)

    monkeypatch.setattr(module, "rename_noreplace", racing)
    output = output_of(a_claim("a.png"), b"input")
    (published,) = publish(spool, [output])
    assert contents(outgoing) == {
        "a_x4.png": b"mine",
        published.picture: output.picture,
        published.sidecar: output.sidecar,
    }


def test_another_scale_has_another_name(spool: Spool) -> None:
    (published,) = publish(spool, [replace(output_of(a_claim("a.png"), b"input"), scale=2)])
    assert published.picture == "a_x2.png"


def test_a_link_to_our_result_is_not_our_result(spool: Spool, outgoing: Path, tmp_path: Path) -> None:
    output = output_of(a_claim("a.png"), b"input")
    publish(spool, [output])
    for name in ("a_x4.png", "a_x4.json"):
        (outgoing / name).rename(tmp_path / name)
        (outgoing / name).symlink_to(tmp_path / name)
    assert existing(spool, "a.png", output.job_key) is None
    (published,) = publish(spool, [output])
    assert not published.existed and published.picture == f"a_x4.{output.job_key[:8]}.png"
