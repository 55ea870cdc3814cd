"""Downloads from a server on this machine that behaves badly."""

import hashlib
import re
import threading
from collections.abc import Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pytest

from deepstdp.cli import main
from deepstdp.data.download import ARCHIVES, Archive, download
from deepstdp.errors import UserError

CONTENT = np.random.default_rng(0).bytes(300_000)


class Server(ThreadingHTTPServer):
    """Serves one file.

    Attributes:
        cuts: after how many bytes it hangs up, for the requests to come.
        errors: status codes with which it answers, for the requests to come.
        knows_ranges: whether it sends the rest of a file.
        damage: where it changes a byte of what it sends.
        asked: the ranges that were asked for.
    """

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.cuts: list[int] = []
        self.errors: list[int] = []
        self.knows_ranges, self.content = True, CONTENT
        self.asked: list[str | None] = []

    @property
    def archive(self) -> Archive:
        url = f"http://127.0.0.1:{self.server_port}/a.zip"
        return Archive("a.zip", url, hashlib.md5(CONTENT).hexdigest(), "none")


class Handler(BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        server, asked = self.server, self.headers.get("Range")
        server.asked.append(asked)
        if server.errors:
            self.send_error(server.errors.pop(0))
            return
        start = 0
        if asked and server.knows_ranges:
            start = int(re.fullmatch(r"bytes=(\d+)-", asked)[1])
            if start >= len(server.content):
                self.send_error(416)
                return
        rest = server.content[start:]
        self.send_response(206 if start else 200)
        self.send_header("Content-Length", str(len(rest)))
        self.end_headers()
        self.wfile.write(rest[: server.cuts.pop(0)] if server.cuts else rest)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield server
        server.shutdown()


def fetched(server, folder, **changes):
    return download(replace(server.archive, **changes), folder, pause=0.001)


def test_a_file_is_fetched_once(server, tmp_path):
    path = fetched(server, tmp_path / "new")
    assert path == tmp_path / "new" / "a.zip"
    assert path.read_bytes() == CONTENT
    assert list(path.parent.iterdir()) == [path]
    assert fetched(server, tmp_path / "new") == path
    assert server.asked == [None]


def test_broken_connections_are_resumed(server, tmp_path):
    server.cuts = [100_000, 50_000, 0]
    assert fetched(server, tmp_path).read_bytes() == CONTENT
    assert server.asked == [None, "bytes=100000-", "bytes=150000-", "bytes=150000-"]


def test_another_call_goes_on_where_one_gave_up(server, tmp_path):
    server.cuts = [1_000] * 5
    with pytest.raises(UserError, match="broke after 1000 .* 5000 bytes are kept"):
        fetched(server, tmp_path)
    assert not (tmp_path / "a.zip").exists()
    assert fetched(server, tmp_path).read_bytes() == CONTENT
    assert server.asked[-1] == "bytes=5000-"


def test_a_server_that_knows_no_ranges(server, tmp_path):
    server.knows_ranges, server.cuts = False, [70_000]
    assert fetched(server, tmp_path).read_bytes() == CONTENT


def test_a_server_that_is_busy(server, tmp_path):
    server.errors = [503, 500]
    assert fetched(server, tmp_path).read_bytes() == CONTENT
    server.errors = [503] * 5
    with pytest.raises(UserError, match=r"cannot be fetched \(503"):
        fetched(server, tmp_path / "other")


def test_what_is_not_there_is_not_asked_for_again(server, tmp_path):
    server.errors = [404]
    with pytest.raises(UserError, match="404"):
        fetched(server, tmp_path)
    assert len(server.asked) == 1


def test_corrupt_bytes_are_not_kept(server, tmp_path):
    server.content = CONTENT[:-1] + bytes([CONTENT[-1] ^ 1])
    with pytest.raises(UserError, match="gave another file: its MD5 is .* nothing is kept"):
        fetched(server, tmp_path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("left", [b"x" * 1_000, b"x" * len(CONTENT), b"x" * 400_000])
def test_a_part_of_something_else_is_replaced(server, tmp_path, left):
    (tmp_path / "a.zip.part").write_bytes(left)
    assert fetched(server, tmp_path).read_bytes() == CONTENT


def test_a_whole_part_needs_no_more_bytes(server, tmp_path):
    (tmp_path / "a.zip.part").write_bytes(CONTENT)
    assert fetched(server, tmp_path).read_bytes() == CONTENT
    assert server.asked == [f"bytes={len(CONTENT)}-"]


def test_a_file_of_the_users_is_left_alone(server, tmp_path):
    (tmp_path / "a.zip").write_bytes(b"mine")
    with pytest.raises(UserError, match="move it away"):
        fetched(server, tmp_path)
    assert (tmp_path / "a.zip").read_bytes() == b"mine"


def test_a_server_that_sends_too_much(server, tmp_path, monkeypatch):
    monkeypatch.setattr("deepstdp.data.download._MOST_BYTES", 100)
    with pytest.raises(UserError, match=r"a\.zip gives more than 0 GiB: nothing is kept"):
        fetched(server, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_no_server(tmp_path):
    archive = Archive("a.zip", "http://127.0.0.1:9/a.zip", "0", "none")
    with pytest.raises(UserError, match="cannot be fetched.*refused"):
        download(archive, tmp_path, pause=0.001)
    assert list(tmp_path.iterdir()) == []


def test_the_command(server, tmp_path, monkeypatch, capsys):
    monkeypatch.setitem(ARCHIVES, "a", server.archive)
    assert main(["download", "a", "--folder", str(tmp_path)]) == 0
    assert f"--data.source {tmp_path / 'a.zip'}" in capsys.readouterr().out
    assert main(["download", "b"]) == 2
    assert "there is no archive b, only tiny-imagenet-200, " in capsys.readouterr().err


def test_checksums_are_checksums():
    for archive in ARCHIVES.values():
        assert re.fullmatch("[0-9a-f]{32}", archive.md5)
        assert archive.file in archive.url
