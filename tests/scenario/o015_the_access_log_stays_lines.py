"""Whatever bytes a client sends, each request is one line of valid JSON."""
import json

from support.client import Client, build, get


def raw_lines(proxy, count):
    proxy.access_log(count)
    with open(proxy.access_log_path, "rb") as file:
        return file.read().split(b"\n")[:-1]


def test_quotes_and_backslashes_stay_inside_their_string(make_proxy, origin):
    proxy = make_proxy(origin)
    evil = 'a","status":200,"x":"\\","'
    get(proxy.address, '/?q="\\', headers={"User-Agent": evil, "Referer": '"}\t{"a":1'})
    line, = proxy.access_log(1)
    assert line["user_agent"] == evil
    assert line["referer"] == '"}\t{"a":1'


def test_bytes_that_are_no_utf8_and_terminal_controls_are_escaped(make_proxy, origin):
    proxy = make_proxy(origin, process={"workers": 1})
    with Client(proxy.address) as client:
        client.send(build(headers=[("User-Agent", "caf\xe9 \xff\xfe \xc0\xaf"), ("Referer", "a\xc2\x9b31m")]))
        assert client.response().status == 200
        client.send(build(headers=[("User-Agent", "gr\xc3\xbc\xc3\x9f")]))
        assert client.response().status == 200
    first, second = raw_lines(proxy, 2)
    assert b"\xff" not in first and b"\xe9" not in first and b"\xc2\x9b" not in first
    assert json.loads(first)["user_agent"] == "caf\xe9 \xff\xfe \xc0\xaf"
    assert json.loads(second)["user_agent"] == "grüß"


def test_a_target_full_of_escapes_cannot_begin_a_line(make_proxy, origin):
    proxy = make_proxy(origin, process={"workers": 1})
    get(proxy.address, "/%0a%22%7d%0d%0a{")
    get(proxy.address, "/second")
    lines = raw_lines(proxy, 2)
    assert len(lines) == 2
    assert json.loads(lines[0])["path"] == "/%0a%22%7d%0d%0a{"


def test_long_texts_are_cut_and_the_line_stays_whole(make_proxy, origin):
    proxy = make_proxy(origin)
    long = "x" * 4000
    get(proxy.address, "/" + long, headers={"User-Agent": '"' * 4000, "Referer": "\\" * 4000})
    line, = proxy.access_log(1)
    assert 200 < len(line["path"]) < 4000 and ("/" + long).startswith(line["path"])
    assert set(line["user_agent"]) == {'"'} and set(line["referer"]) == {"\\"}
    assert (line["server"], line["route"], line["pool"]) == ("s1", "everything", "app")
    assert line["server_address"] == origin.address
