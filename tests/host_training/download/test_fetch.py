"""One file over HTTP: what is asked for after an interruption, and what is believed of the answer."""

from __future__ import annotations

import hashlib
import socket
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edge_sr.errors import EnvironmentFault, InputError
from host_training.download.fetch import Patience, fetch
from host_training.download.listing import Entry
from tests.host_training.download.shop import Fault, Shop

CONTENT = np.random.default_rng(0).bytes(300_000)
OTHER = np.random.default_rng(1).bytes(300_000)
CUT = 100_000
AT_ONCE = Patience(retries=3, wait_s=0, timeout_s=5)


def entry_of(*urls: str, content: bytes = CONTENT, **changed: Any) -> Entry:
    true = {"size": len(content), "md5": hashlib.md5(content).hexdigest()}
    return Entry("a.tar.gz", urls, **{**true, **changed})


def unknown(*urls: str) -> Entry:
    return Entry("a.tar.gz", urls)


@pytest.fixture
def target(tmp_path: Path) -> Path:
    return tmp_path / "a.tar.gz"


def assert_whole(target: Path, content: bytes = CONTENT) -> None:
    assert target.read_bytes() == content
    assert [path.name for path in target.parent.iterdir()] == [target.name]


def interrupted(shop: Shop, url: str, target: Path, entry: Entry | None = None) -> int:
    """Leave a part of the file behind; returns its size."""
    shop.offers["/a"].faults = [Fault(cut_after=CUT)]
    with pytest.raises(InputError, match="cut"):
        fetch(entry or entry_of(url), target, patience=Patience(retries=0, wait_s=0))
    shop.requests.clear()
    size = target.with_name("a.tar.gz.part").stat().st_size
    assert 0 < size <= CUT
    return size


def test_a_whole_file(shop: Shop, target: Path) -> None:
    fetch(entry_of(shop.offer("/a", CONTENT)), target, patience=AT_ONCE)
    assert_whole(target)
    assert [request.range for request in shop.requests] == [None]


def test_a_file_of_which_nobody_knows_anything(shop: Shop, target: Path) -> None:
    fetch(unknown(shop.offer("/a", CONTENT, etag="", length=False)), target, patience=AT_ONCE)
    assert_whole(target)


def test_a_cut_connection_is_taken_up_where_it_broke(shop: Shop, target: Path) -> None:
    url = shop.offer("/a", CONTENT, faults=[Fault(cut_after=CUT), Fault(cut_after=CUT)])
    fetch(entry_of(url), target, patience=AT_ONCE)
    assert_whole(target)
    starts = [int((request.range or "bytes=0-")[6:-1]) for request in shop.requests]
    assert 0 == starts[0] < starts[1] <= CUT < starts[2] <= 2 * CUT
    assert [request.if_range for request in shop.requests] == [None, '"one"', '"one"']


def test_cuts_that_bring_something_do_not_count(shop: Shop, target: Path) -> None:
    url = shop.offer("/a", CONTENT, faults=[Fault(cut_after=70_000)] * 4)
    fetch(entry_of(url), target, patience=Patience(retries=1, wait_s=0))
    assert_whole(target)


def test_a_later_fetch_goes_on_from_the_part(shop: Shop, target: Path) -> None:
    url = shop.offer("/a", CONTENT)
    have = interrupted(shop, url, target)
    fetch(entry_of(url), target, patience=AT_ONCE)
    assert_whole(target)
    assert [(request.range, request.if_range) for request in shop.requests] == [(f"bytes={have}-", '"one"')]


def test_a_weak_entity_tag_gives_way_to_the_date(shop: Shop, target: Path) -> None:
    date = "Mon, 01 Jan 2024 00:00:00 GMT"
    url = shop.offer("/a", CONTENT, etag='W/"one"', last_modified=date)
    interrupted(shop, url, target)
    fetch(entry_of(url), target, patience=AT_ONCE)
    assert_whole(target)
    assert shop.requests[0].if_range == date


@pytest.mark.parametrize("heeds_if_range", [True, False])
def test_a_file_that_changed_in_between_comes_whole(shop: Shop, target: Path, heeds_if_range: bool) -> None:
    url = shop.offer("/a", CONTENT)
    interrupted(shop, url, target, unknown(url))
    shop.offer("/a", OTHER, etag='"two"', heeds_if_range=heeds_if_range)
    fetch(unknown(url), target, patience=AT_ONCE)
    assert_whole(target, OTHER)


def test_a_file_that_changed_its_size_in_between_comes_whole(shop: Shop, target: Path) -> None:
    url = shop.offer("/a", CONTENT, etag="", last_modified="then")
    interrupted(shop, url, target, unknown(url))
    shop.offer("/a", OTHER[:250_000], etag="", last_modified="then")
    fetch(unknown(url), target, patience=AT_ONCE)
    assert_whole(target, OTHER[:250_000])


def test_without_tag_date_and_checksum_nothing_is_glued_together(shop: Shop, target: Path) -> None:
    url = shop.offer("/a", CONTENT, etag="")
    interrupted(shop, url, target, unknown(url))
    fetch(unknown(url), target, patience=AT_ONCE)
    assert_whole(target)
    assert shop.requests[0].range is None


def test_with_a_checksum_to_come_a_file_without_tag_is_resumed(shop: Shop, target: Path) -> None:
    url = shop.offer("/a", CONTENT, etag="")
    have = interrupted(shop, url, target)
    fetch(entry_of(url), target, patience=AT_ONCE)
    assert_whole(target)
    assert [(request.range, request.if_range) for request in shop.requests] == [(f"bytes={have}-", None)]


def test_a_server_without_ranges_begins_again(shop: Shop, target: Path, capfd: pytest.CaptureFixture[str]) -> None:
    url = shop.offer("/a", CONTENT, ranges=False, faults=[Fault(cut_after=CUT)])
    fetch(entry_of(url), target, patience=AT_ONCE)
    assert_whole(target)
    assert "the server begins again" in capfd.readouterr().err


def test_a_server_without_ranges_that_always_cuts_is_left(shop: Shop, target: Path) -> None:
    url = shop.offer("/a", CONTENT, ranges=False, faults=[Fault(cut_after=CUT)] * 50)
    with pytest.raises(InputError, match="cut, 4 times in a row"):
        fetch(entry_of(url), target, patience=AT_ONCE)
    assert len(shop.requests) == 4


def test_a_range_that_was_not_asked_for_is_not_taken(shop: Shop, target: Path) -> None:
    url = shop.offer("/a", CONTENT)
    interrupted(shop, url, target)
    shop.offers["/a"].faults = [Fault(headers={"Content-Range": "bytes 5-299999/300000"})]
    fetch(entry_of(url), target, patience=AT_ONCE)
    assert_whole(target)
    assert shop.requests[1].range is None


def test_a_part_beyond_the_servers_file_begins_again(shop: Shop, target: Path) -> None:
    url = shop.offer("/a", CONTENT, last_modified="then")
    interrupted(shop, url, target, unknown(url))
    shop.offer("/a", CONTENT[:5000], last_modified="then")
    fetch(unknown(url), target, patience=AT_ONCE)
    assert_whole(target, CONTENT[:5000])


@pytest.mark.parametrize("spoilt", [b"", b"{", b"[]", b'{"total": 3}'])
def test_a_part_of_unknown_origin_is_worth_nothing(shop: Shop, target: Path, spoilt: bytes) -> None:
    url = shop.offer("/a", CONTENT)
    interrupted(shop, url, target)
    target.with_name("a.tar.gz.part.json").write_bytes(spoilt)
    fetch(entry_of(url), target, patience=AT_ONCE)
    assert_whole(target)
    assert shop.requests[0].range is None


def test_a_part_that_is_too_long_begins_again(shop: Shop, target: Path) -> None:
    url = shop.offer("/a", CONTENT)
    interrupted(shop, url, target)
    target.with_name("a.tar.gz.part").write_bytes(CONTENT + b"more")
    fetch(entry_of(url), target, patience=AT_ONCE)
    assert_whole(target)


def test_a_part_that_is_complete_asks_for_nothing(shop: Shop, target: Path) -> None:
    url = shop.offer("/a", CONTENT)
    interrupted(shop, url, target)
    target.with_name("a.tar.gz.part").write_bytes(CONTENT)
    fetch(entry_of(url), target, patience=AT_ONCE)
    assert_whole(target)
    assert not shop.requests


def test_a_missing_file_is_asked_for_once(shop: Shop, target: Path) -> None:
    with pytest.raises(InputError, match="404"):
        fetch(entry_of(shop.url("/nothing")), target, patience=AT_ONCE)
    assert len(shop.requests) == 1


def test_another_address_is_asked_where_the_first_refuses(shop: Shop, target: Path) -> None:
    fetch(entry_of(shop.url("/nothing"), shop.offer("/b", CONTENT)), target, patience=AT_ONCE)
    assert_whole(target)
    assert [request.path for request in shop.requests] == ["/nothing", "/b"]


def test_another_address_goes_on_where_the_first_stopped(shop: Shop, target: Path) -> None:
    first, second = shop.offer("/a", CONTENT), shop.offer("/b", CONTENT, etag='"another"')
    have = interrupted(shop, first, target)
    fetch(entry_of(shop.url("/nothing"), second), target, patience=AT_ONCE)
    assert_whole(target)
    assert [(request.range, request.if_range) for request in shop.requests[1:]] == [(f"bytes={have}-", None)]


def test_all_addresses_are_named_where_all_refuse(shop: Shop, target: Path) -> None:
    with pytest.raises(InputError, match="/nothing: the server answers 404 .*/neither: the server answers 404"):
        fetch(entry_of(shop.url("/nothing"), shop.url("/neither")), target, patience=AT_ONCE)


@pytest.mark.parametrize("status", [202, 429, 500, 503])
def test_troubles_that_pass(shop: Shop, target: Path, status: int) -> None:
    fetch(entry_of(shop.offer("/a", CONTENT, faults=[Fault(status)] * 3)), target, patience=AT_ONCE)
    assert_whole(target)


def test_troubles_that_stay(shop: Shop, target: Path) -> None:
    url = shop.offer("/a", CONTENT, faults=[Fault(500)] * 50)
    with pytest.raises(InputError, match="500 Internal Server Error, 4 times in a row"):
        fetch(entry_of(url), target, patience=AT_ONCE)
    assert len(shop.requests) == 4


def test_the_server_may_ask_for_a_longer_pause(shop: Shop, target: Path) -> None:
    url = shop.offer("/a", CONTENT, faults=[Fault(503, headers={"Retry-After": "0"}), Fault(503)])
    fetch(entry_of(url), target, patience=AT_ONCE)
    patience = Patience(wait_s=2)
    assert [patience.pause_s(n, 0) for n in range(1, 8)] == [2, 4, 8, 16, 32, 60, 60]
    assert patience.pause_s(1, 120) == 120
    assert patience.pause_s(1, 1e9) == 300


def test_a_server_that_falls_silent_is_asked_again(shop: Shop, target: Path) -> None:
    url = shop.offer("/a", CONTENT, faults=[Fault(cut_after=CUT, stall_s=2)])
    fetch(entry_of(url), target, patience=Patience(retries=1, wait_s=0, timeout_s=0.2))
    assert_whole(target)
    assert len(shop.requests) == 2


def test_no_connection_is_a_fault_of_this_machine(tmp_path: Path, target: Path) -> None:
    with socket.socket() as unheard:  # bound, so that nobody else takes the port, and not listening
        unheard.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{unheard.getsockname()[1]}/a"
        with pytest.raises(EnvironmentFault, match="no connection to 127.0.0.1:.*2 times in a row"):
            fetch(entry_of(url), target, patience=Patience(retries=1, wait_s=0))


def test_a_web_page_is_not_the_file(shop: Shop, target: Path) -> None:
    page = b"<html>You shall log in</html>"
    with pytest.raises(InputError, match="web page"):
        fetch(unknown(shop.offer("/a", page, content_type="text/html; charset=utf-8")), target, patience=AT_ONCE)
    assert not list(target.parent.iterdir())


def test_another_size_than_listed_is_refused_before_the_body_comes(shop: Shop, target: Path) -> None:
    with pytest.raises(InputError, match="300000 bytes; expected 299999, as listed"):
        fetch(entry_of(shop.offer("/a", CONTENT), size=299_999), target, patience=AT_ONCE)
    assert not list(target.parent.iterdir())


def test_more_bytes_than_listed_are_not_stored(shop: Shop, target: Path) -> None:
    with pytest.raises(InputError, match="sends more"):
        fetch(entry_of(shop.offer("/a", CONTENT, length=False), size=1000), target, patience=AT_ONCE)
    assert not target.exists()


def test_fewer_bytes_than_listed_are_a_cut_connection(shop: Shop, target: Path) -> None:
    url = shop.offer("/a", CONTENT, length=False, faults=[Fault(cut_after=CUT)])
    fetch(entry_of(url), target, patience=AT_ONCE)
    assert_whole(target)


def test_a_content_coding_is_not_undone(shop: Shop, target: Path) -> None:
    """Some servers say of every .gz that it is a coding of something else; the checksum is that of the .gz."""
    url = shop.offer("/a", CONTENT, faults=[Fault(headers={"Content-Encoding": "gzip"})])
    fetch(entry_of(url), target, patience=AT_ONCE)
    assert_whole(target)


def test_a_redirection_is_followed(shop: Shop, target: Path) -> None:
    shop.offer("/here", b"", faults=[Fault(302, headers={"Location": shop.offer("/a", CONTENT)})])
    fetch(entry_of(shop.url("/here")), target, patience=AT_ONCE)
    assert_whole(target)


def test_a_redirection_without_end(shop: Shop, target: Path) -> None:
    shop.offer("/here", b"", faults=[Fault(302, headers={"Location": shop.url("/here")})] * 99)
    with pytest.raises(InputError, match="redirect"):
        fetch(entry_of(shop.url("/here")), target, patience=AT_ONCE)


def test_a_full_disk(shop: Shop, target: Path) -> None:
    full = Path("/dev/full")
    if not full.exists():
        pytest.skip("needs /dev/full")
    target.with_name("a.tar.gz.part").symlink_to(full)
    with pytest.raises(EnvironmentFault, match="No space left on device"):
        fetch(entry_of(shop.offer("/a", CONTENT)), target, patience=AT_ONCE)


def test_a_file_larger_than_the_disk_is_not_begun(shop: Shop, target: Path) -> None:
    url = shop.offer("/a", CONTENT, faults=[Fault(headers={"Content-Length": str(1 << 60)})])
    with pytest.raises(EnvironmentFault, match="needs 1073741824.00 GiB"):
        fetch(unknown(url), target, patience=AT_ONCE)
    assert not list(target.parent.iterdir())
