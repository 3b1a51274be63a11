"""
The corpus: what a request in the table means, and how a row is judged.

A row says what the byte-logging origin must have seen and what the client must
have got.  Three kinds:
  refuse    one of `statuses`, the connection closed, not a byte at the origin
  forward   exactly these requests at the origin, a response for each; then the
            connection closed, or in step: a probe on it must come through
  cut       the fault is inside a body whose head may be on its way already:
            no whole request at the origin, its connection broken, ours closed
`either` takes several of these as right where the standards leave it open.
"""
import re
from dataclasses import dataclass, field

from support.client import Client, Ended, build, get
from support.wire import Fields

HOST = b"Host: test.example\r\n"
EVIL = b"GET /evil HTTP/1.1\r\nHost: test.example\r\n\r\n"


@dataclass
class Want:
    """One request as the origin must have seen it."""
    method: str = "GET"
    target: str = "/"
    body: bytes = b""
    headers: dict = field(default_factory=dict)   # name: value, [values], or a compiled pattern
    absent: tuple = ()
    trailers: list = None                         # None: not looked at


@dataclass
class Outcome:
    kind: str
    requests: list
    answers: list      # for each response: the statuses it may have
    closes: bool


@dataclass
class Case:
    name: str
    raw: bytes
    outcomes: list
    methods: list = field(default_factory=list)   # of the requests, where not GET and the response depends on it
    then: str = ""                                # "half_close": the client ends its side after sending
    reads: bool = True                            # False: a cut that only the client's leaving reveals


def _methods(raw):
    return ["HEAD"] if raw.startswith(b"HEAD ") else []


def refused(*statuses):
    return Outcome("refuse", [], [statuses or (400,)], True)


def forwarded(*wants, closes=False, then=None):
    """`then`: statuses of a refusal that follows the good ones."""
    answers = [(200,)] * len(wants) + ([then] if then else [])
    return Outcome("forward", list(wants), answers, closes or bool(then))


def broken(*statuses):
    return Outcome("cut", [], [statuses or (400,)], True)


def refuse(name, raw, *statuses, **more):
    return Case(name, raw, [refused(*statuses)], _methods(raw), **more)


def forward(name, raw, *wants, closes=False, then=None, **more):
    return Case(name, raw, [forwarded(*wants, closes=closes, then=then)], _methods(raw), **more)


def cut(name, raw, *statuses, **more):
    return Case(name, raw, [broken(*statuses)], **more)


def either(name, raw, *outcomes, **more):
    return Case(name, raw, list(outcomes), _methods(raw), **more)


def get_with(field_lines=b"", target=b"/", host=HOST):
    """A GET with these field lines (each with its CRLF)."""
    return b"GET " + target + b" HTTP/1.1\r\n" + host + field_lines + b"\r\n"


def post_with(field_lines, body=b"", target=b"/"):
    return b"POST " + target + b" HTTP/1.1\r\n" + HOST + field_lines + b"\r\n" + body


def post_chunks(body, more=b"", target=b"/"):
    return post_with(b"Transfer-Encoding: chunked\r\n" + more, body, target)


# -- judging

def run(case, proxy, origin, pieces=None, gap=0.002):
    """Play one case; returns None, or what is wrong."""
    with Client(proxy.address, timeout=8) as client:
        got, seen = _play(client, case, origin, pieces, gap)
        faults = []
        for outcome in case.outcomes:
            fault = _judge(outcome, client, got, seen, origin)
            if fault is None:
                break
            faults.append(fault)
        else:
            return " | ".join(faults) + f"\n  sent     {case.raw[:400]!r}\n  client   {got}\n  origin   {seen}"
    return _barrier(proxy, origin, case)


def _play(client, case, origin, pieces=None, gap=0.002):
    """What the client got, and what the origin saw."""
    origin.settle()
    mark = origin.mark()
    if pieces:
        client.send_pieces(pieces, gap)
    else:
        client.try_send(case.raw)
    if case.then == "half_close":
        client.half_close()
    got = _answers(client, case)
    origin.settle()
    return got, origin.since(mark)


@dataclass
class Got:
    responses: list
    closed: bool
    how: str


def _answers(client, case):
    """Read until the most answers that any outcome allows are there, or the peer ends."""
    most = max(len(outcome.answers) for outcome in case.outcomes)
    responses = []
    for number in range(most):
        method = case.methods[number] if number < len(case.methods) else "GET"
        try:
            responses.append(client.response(method))
        except Ended as end:
            return Got(responses, True, str(end))
        except Exception as fault:  # a timeout or ill-formed bytes: judged as they stand
            return Got(responses, False, repr(fault))
        if responses[-1].says_close or responses[-1].framing == "close":
            break
    return Got(responses, False, "")


def _judge_answers(outcome, got):
    statuses = [response.status for response in got.responses]
    if outcome.kind == "cut" and not statuses and got.closed:  # a cut may end without words
        return None
    if len(statuses) != len(outcome.answers):
        return f"{outcome.kind}: {len(outcome.answers)} answers wanted, got {statuses} {got.how}"
    for status, allowed in zip(statuses, outcome.answers):
        if status not in allowed:
            return f"{outcome.kind}: one of {allowed} wanted, got {statuses}"
    return None


def _judge(outcome, client, got, seen, origin):
    fault = _judge_answers(outcome, got)
    if fault:
        return fault
    if seen.errors:
        return f"the origin got bytes it could not read beyond doubt: {seen.errors}"
    if outcome.kind == "refuse" and (seen.bytes or seen.heads):
        return f"refuse: {seen.bytes} bytes reached the origin"
    if outcome.kind == "cut":
        if seen.requests:
            return "cut: a whole request reached the origin"
        for head in seen.heads:
            try:
                origin.wait_for(lambda o, n=head.connection: not o.connections[n].open, 5)
            except AssertionError:
                return "cut: the origin's connection stays open after the fault"
    if outcome.kind == "forward":
        fault = _compare(outcome.requests, seen)
        if fault:
            return fault
    return _judge_connection(outcome, client, got)


def _judge_connection(outcome, client, got):
    if outcome.closes:
        return None if got.closed or client.wait_closed() else f"{outcome.kind}: the connection should be closed"
    return _probe(client)


def _compare(wants, seen):
    if len(seen.requests) != len(wants) or len(seen.heads) != len(wants):
        return f"forward: {len(wants)} requests wanted at the origin, {len(seen.requests)} seen, {len(seen.heads)} heads"
    for want, request in zip(wants, seen.requests):
        fault = compare(want, request)
        if fault:
            return "forward: " + fault
    return None


def compare(want, request):
    """None, or how the request that was seen differs."""
    if (request.method, request.target, request.body) != (want.method, want.target, want.body):
        return (f"{want.method} {want.target} with {len(want.body)} bytes wanted, "
                f"{request.method} {request.target} with {len(request.body)} bytes seen")
    if request.version != "1.1":
        return f"forwarded as HTTP/{request.version}"
    fault = compare_fields(want, request.headers)
    if fault:
        return fault
    if want.trailers is not None and [(n.lower(), v) for n, v in request.trailers] != want.trailers:
        return f"trailers should be {want.trailers}, are {request.trailers}"
    return None


def compare_fields(want, seen):
    """None, or which field differs from `want.headers` or stands there although it is `want.absent`."""
    for name, value in want.headers.items():
        values = seen.all(name)
        if isinstance(value, re.Pattern):
            right = len(values) == 1 and value.fullmatch(values[0])
        else:
            right = values == (value if isinstance(value, list) else [value])
        if not right:
            return f"{name} should be {value!r}, is {values}"
    for name in want.absent:
        if seen.all(name):
            return f"{name} should be gone, is {seen.all(name)}"
    return None


def _probe(client):
    """The connection is in step: one more request on it gets its own answer."""
    try:
        client.send(build(target="/probe"))
        answer = client.response()
    except Exception as fault:
        return f"the connection is out of step afterwards: {fault!r}"
    return None if answer.status == 200 else f"the connection is out of step afterwards: {answer.status}"


def _barrier(proxy, origin, case):
    """Nothing is left behind: the next request of somebody else arrives alone and gets its own answer."""
    origin.settle()
    mark = origin.mark()
    answer = get(proxy.address, "/barrier")
    origin.settle()
    seen = origin.since(mark)
    if answer.status == 200 and [head.target for head in seen.heads] == ["/barrier"] and not seen.errors:
        return None
    return f"something was left behind: {answer.status}, {seen}\n  sent     {case.raw[:400]!r}"


# -- the same rows, before a server that speaks HTTP/2

OF_HTTP1 = ("connection", "transfer-encoding", "upgrade", "te")


def is_for_h2(case):
    """Of HTTP/2 there is no upgrade."""
    return b"pgrade" not in case.raw


def _judge_streams(outcome, seen, origin):
    if seen.errors:
        return f"the origin got what is no HTTP/2: {seen.errors}"
    if outcome.kind == "refuse":
        return "refuse: a head reached the origin" if seen.heads else None
    if outcome.kind == "forward":
        return _compare_streams(outcome.requests, seen)
    if any(head.has_ended for head in seen.heads):
        return "cut: a whole request reached the origin"
    try:
        origin.wait_for(lambda _: all(head.reset is not None for head in seen.heads), 5)
    except AssertionError:
        return "cut: the stream stays open after the fault"
    return None


def _compare_streams(wants, seen):
    if len(seen.requests) != len(wants) or len(seen.heads) != len(wants):
        return f"forward: {len(wants)} requests wanted at the origin, {len(seen.requests)} seen, {len(seen.heads)} heads"
    for want, request in zip(wants, seen.requests):
        if (request.method, request.target, request.body) != (want.method, want.target, want.body):
            return f"forward: {want.method} {want.target} wanted, {request} seen"
        if set(request.headers.names()) & {"host", *OF_HTTP1[:3]}:
            return f"forward: fields of HTTP/1: {request.headers}"
        own = Want(headers={name: value for name, value in want.headers.items() if name.lower() not in OF_HTTP1}, absent=want.absent)
        fault = compare_fields(own, Fields([("host", request.authority), *request.headers]))
        if fault:
            return "forward: " + fault
        if want.trailers is not None and list(request.trailers) != want.trailers:
            return f"forward: trailers should be {want.trailers}, are {request.trailers}"
    return None


def run_to_h2(case, proxy, origin):
    """Play one case; returns None, or what is wrong.  What HTTP/1 says of a connection is not looked for."""
    with Client(proxy.address, timeout=8) as client:
        got, seen = _play(client, case, origin)
        faults = [_judge_answers(outcome, got) or _judge_streams(outcome, seen, origin) or _judge_connection(outcome, client, got)
                  for outcome in case.outcomes]
    if all(faults):
        return " | ".join(faults) + f"\n  sent     {case.raw[:400]!r}\n  client   {got}\n  origin   {seen}"
    answer = get(proxy.address, "/barrier")
    return None if answer.status == 200 else f"the next request got {answer.status}"
