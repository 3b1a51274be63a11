"""
The other half of the corpus: what an origin answers, and what the client may see of it.

  good     this status, body and fields; the client's connection stays in step
  bad      502 (or another of `statuses`), and the server's connection is closed
  torn     a head, then a body that visibly does not end (never a clean end); both
           connections closed.  While nothing was sent yet, 502 is as right
In any case the next request of somebody else gets its own answer, and where the
server's connection is not to be trusted any more it comes over another one.
"""
import time
from dataclasses import dataclass, field

from support.client import Client, Ended, build, get
from support.corpus import compare_fields
from support.h2 import H2Client, request
from support.origin import CLOSE, ok

AFTER = b"the answer to another\n"


@dataclass
class Outcome:
    kind: str
    statuses: tuple
    body: bytes = b""
    headers: dict = field(default_factory=dict)  # name: value, [values] or a compiled pattern
    absent: tuple = ()
    interim: list = None                         # statuses of interim responses; None: not looked at
    trailers: list = None
    drops: bool = False                          # the server's connection must not serve again


@dataclass
class Case:
    name: str
    raw: bytes
    outcomes: list
    then: object = None     # None: stay open; "close", "reset"; a number: seconds to wait before `later`
    later: bytes = b""
    method: str = "GET"
    version: str = "1.1"
    headers: tuple = ()     # of the request


def good(status=200, body=b"", drops=False, **more):
    return Outcome("good", (status,), body, drops=drops, **more)


def bad(*statuses):
    return Outcome("bad", statuses or (502,), drops=True)


def torn(status=200):
    return Outcome("torn", (status,), drops=True)


def answer(name, raw, *outcomes, **more):
    return Case(name, raw, list(outcomes), **more)


def head(*lines, status=b"200 OK"):
    return b"HTTP/1.1 " + status + b"\r\n" + b"".join(line + b"\r\n" for line in lines) + b"\r\n"


def chunked(body, *lines):
    return head(b"Transfer-Encoding: chunked", *lines) + body


def _behaviour(case):
    def behave(conn, _request):
        conn.send(case.raw)
        if case.then == "close":
            return CLOSE
        if case.then == "reset":
            return conn.reset()
        if case.then is not None:
            time.sleep(case.then)
            conn.send(case.later)
        return None
    return behave


def run(case, proxy, origin):
    """None, or what is wrong."""
    origin.behaviour = {"/case": _behaviour(case), "*": ok(AFTER)}
    mark = origin.mark()
    with Client(proxy.address, timeout=12) as client:
        client.send(build(case.method, "/case", list(case.headers), version=case.version))
        got = how = None
        try:
            got = client.response(case.method)
        except Ended as end:
            how = end
        except Exception as fault:
            return f"the client got something that is no response: {fault!r}, {bytes(client.stream.raw[:400])!r}"
        if isinstance(case.then, float):  # what comes later comes while nothing is under way
            _wait_dropped(origin, mark)
        faults = [_judge(outcome, case, client, got, how, origin, mark) for outcome in case.outcomes]
    if all(faults):
        return " | ".join(faults) + f"\n  origin sent {case.raw[:300]!r}\n  client got  {bytes(client.stream.raw[:600])!r}"
    return _next_one(case.outcomes[faults.index(None)], proxy, origin, mark)


def _touched(origin, mark):
    return {request.connection for request in origin.since(mark).heads if request.target == "/case"}


def _wait_dropped(origin, mark):
    """True when the server's connections of this case have ended."""
    try:
        for number in _touched(origin, mark):
            origin.wait_for(lambda o, n=number: not o.connections[n].open, 5)
    except AssertionError:
        return False
    return True


def _judge(outcome, case, client, got, how, origin, mark):
    if outcome.kind == "torn":
        status_line = bytes(client.stream.raw).partition(b"\r\n")[0]
        if got is not None:
            return f"torn: a clean end ({got.status}, {got.body_bytes} bytes)"
        if status_line and not status_line.startswith(b"HTTP/1.1 %d" % outcome.statuses[0]):
            return f"torn: {status_line!r}"
        return None
    if got is None:
        return f"{outcome.kind}: no whole response: {how}"
    if got.status not in outcome.statuses:
        return f"{outcome.kind}: one of {outcome.statuses} wanted, got {got.status}"
    if outcome.kind == "good":
        fault = _compare(outcome, got)
        if fault:
            return "good: " + fault
    if got.says_close or got.framing == "close" or case.version == "1.0":
        return None if client.wait_closed() else f"{outcome.kind}: it should be closed"
    try:
        client.send(build(target="/probe"))
        probe = client.response()
    except Exception as fault:
        return f"the client's connection is out of step: {fault!r}"
    return None if probe.body == AFTER else f"the client's connection is out of step: {probe.status} {probe.body!r}"


def _compare(outcome, got):
    if got.body != outcome.body:
        return f"the body is {got.body[:80]!r} ({got.body_bytes} bytes)"
    fault = compare_fields(outcome, got.headers)
    if fault:
        return fault
    if outcome.interim is not None and [one.status for one in got.interim] != outcome.interim:
        return f"interim responses are {[one.status for one in got.interim]}"
    if outcome.trailers is not None and got.trailers != outcome.trailers:
        return f"trailers are {got.trailers}"
    return None


def _next_one(outcome, proxy, origin, mark):
    touched = _touched(origin, mark)
    if outcome.drops and not _wait_dropped(origin, mark):
        return "the server's connection stays open after such an answer"
    here = origin.mark()
    after = get(proxy.address, "/barrier")
    if after.status != 200 or after.body != AFTER:
        return f"the next request got {after.status} {after.body[:200]!r}"
    used = {request.connection for request in origin.since(here).heads}
    if outcome.drops and used & touched:
        return "the server's connection served again"
    return None


# -- the same rows, seen by an HTTP/2 client

def is_for_h2(case):
    """HTTP/1.0 and upgrades are of HTTP/1 alone."""
    return case.version == "1.1" and not any(name == "Upgrade" for name, _ in case.headers)


def run_h2(case, proxy, origin):
    """None, or what is wrong: a whole response is that of HTTP/1, one that breaks off a reset of its stream alone."""
    origin.behaviour = {"/case": _behaviour(case), "*": ok(AFTER)}
    mark = origin.mark()
    more = [(name.lower(), value) for name, value in case.headers if name != "Connection"]
    with H2Client(proxy.address, timeout=12) as client:
        try:
            got = client.request(1, request(case.method, "/case", *more))
            if isinstance(case.then, float):
                _wait_dropped(origin, mark)
            faults = [_judge_h2(outcome, got) for outcome in case.outcomes]
            probe = client.request(3, request(path="/probe"))
        except Exception as fault:
            return f"the client's connection did not go on: {fault!r}"
    if all(faults):
        return " | ".join(faults) + f"\n  origin sent {case.raw[:300]!r}\n  client got  {got}"
    if probe.body != AFTER:
        return f"the next stream got {probe.status} {probe.body[:200]!r}"
    return _next_one(case.outcomes[faults.index(None)], proxy, origin, mark)


def _judge_h2(outcome, got):
    if outcome.kind == "torn":
        return None if got.reset is not None and got.status in (None, *outcome.statuses) else f"torn: {got}"
    if not got.has_ended:
        return f"{outcome.kind}: no whole response: {got}"
    if got.status not in outcome.statuses:
        return f"{outcome.kind}: one of {outcome.statuses} wanted, got {got.status}"
    return _compare_h2(outcome, got) if outcome.kind == "good" else None


def _compare_h2(outcome, got):
    if got.body != outcome.body:
        return f"good: the body is {got.body[:80]!r} ({got.body_bytes} bytes)"
    fault = compare_fields(outcome, got.headers)
    if fault:
        return "good: " + fault
    if outcome.interim is not None and [status for status, _ in got.interim] != outcome.interim:
        return f"good: interim responses are {got.interim}"
    # HTTP/2 always has room for trailers: what a client of HTTP/1 has to ask for.
    if outcome.trailers and list(got.trailers) != [(name.lower(), value) for name, value in outcome.trailers]:
        return f"good: trailers are {got.trailers}"
    return None
