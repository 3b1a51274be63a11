"""?wait=: the answer comes when nothing runs on the server any more, or when the time is over."""
import http.client
import threading
import time

import pytest
from support.client import Client
from support.origin import ok


class Held:
    """Requests wait until they are let go."""

    def __init__(self):
        self.release = threading.Event()
        self.came = threading.Event()

    def __call__(self, conn, request):
        self.came.set()
        assert self.release.wait(60)
        return ok()(conn, request)


@pytest.fixture
def held(make_origin, make_enforced):
    """A proxy whose s1 has one request under way; `finish()` lets it end."""
    behaviour = Held()
    proxy = make_enforced([make_origin(behaviour), make_origin(), make_origin()], pool={"balance": "round_robin"})
    done = []
    threads = []

    def ask():
        with Client(proxy.address, timeout=60) as client:
            done.append(client.request("GET", "/").status)

    for _ in range(20):  # one of them meets s1
        threads.append(threading.Thread(target=ask))
        threads[-1].start()
        if behaviour.came.wait(0.2):
            break
    assert behaviour.came.is_set()
    proxy.finish = behaviour.release.set
    yield proxy
    behaviour.release.set()
    for thread in threads:
        thread.join(60)
    assert set(done) == {200}  # a drain cuts nothing off


def put(proxy, path, body):
    return proxy.as_("bob").put(path, body, timeout=60)


STATE = "/v1/pools/app/servers/s1/state"


def test_without_it_the_answer_counts_what_still_runs(held):
    answer = put(held, STATE, {"state": "drain"})
    assert answer.status == 200 and answer.json()["in_flight"] >= 1


def test_it_answers_when_the_server_is_empty(held):
    answers = []
    thread = threading.Thread(target=lambda: answers.append(put(held, STATE + "?wait=50s", {"state": "drain"})))
    thread.start()
    held.wait_for(lambda: held.server("s1")["admin"]["state"] == "drain", what="the drain")
    assert not answers
    held.finish()
    thread.join(60)
    assert answers[0].status == 200 and answers[0].json()["in_flight"] == 0
    assert answers[0].json()["admin"]["state"] == "drain"


def test_it_answers_when_the_time_is_over(held):
    began = time.monotonic()
    answer = put(held, STATE + "?wait=300ms", {"state": "drain"})
    assert time.monotonic() - began >= 0.3
    assert answer.status == 200 and answer.json()["in_flight"] >= 1
    assert held.server("s1")["admin"]["state"] == "drain"


def test_a_caller_that_leaves_harms_nothing(held):
    with pytest.raises(OSError):
        held.as_("bob").put(STATE + "?wait=50s", {"state": "drain"}, timeout=0.5)
    held.wait_for(lambda: held.server("s1")["admin"]["state"] == "drain", what="the drain")
    held.finish()
    held.wait_for(lambda: held.server("s1")["now"]["in_flight"] == 0, what="s1 to be empty")


def test_ready_does_not_wait(held):
    assert put(held, STATE + "?wait=50s", {"state": "ready"}).status == 200
    assert put(held, STATE + "?wait=soon", {"state": "ready"}).status == 422


def test_a_caller_that_waits_delays_no_stop(make_origin, make_enforced):
    release = threading.Event()

    def held(conn, request):
        release.wait(60)

    proxy = make_enforced([make_origin(held) for _ in range(3)], process={"shutdown_timeout": "200ms"})
    ended = []

    def wait_for_it(server):
        try:
            ended.append(proxy.as_("bob").put(f"/v1/pools/app/servers/{server}/state?wait=60s", {"state": "drain"}, timeout=60).status)
        except (OSError, http.client.HTTPException) as gone:
            ended.append(gone)

    with Client(proxy.address) as client:
        client.send(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        busy = proxy.wait_for(lambda: [server["name"] for server in proxy.pool()["servers"] if server["now"]["in_flight"]])[0]
        thread = threading.Thread(target=wait_for_it, args=[busy])
        thread.start()
        proxy.wait_for(lambda: proxy.server(busy)["admin"]["state"] == "drain")
        assert not ended
        proxy.stop()  # which is bounded
        thread.join(60)
        assert ended
    release.set()
