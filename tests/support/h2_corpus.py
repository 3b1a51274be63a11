"""
The corpus of HTTP/2: what frames in a table mean, and how a row is judged.

A row has steps (bytes to send, or a function of the client) and what must come of them:
  goaway    a connection error: GOAWAY with one of these codes, then the connection is closed
  reset     a stream error: RST_STREAM with one of these codes, the connection goes on
  answered  one of these statuses, the connection goes on
  served    200 for each of these requests, which the origin got so and not otherwise
  cut       the fault is in a body whose head may be on its way already: no whole request at
            the origin and its connection broken; the stream is reset, or answered so
A row may have several outcomes where the standard leaves it open.  The connection goes on: a
request on it is served.  What the standard calls an error of the stream may always be treated as
one of the connection (RFC 9113 §5.4.2): rows say so only where nghttp2 does.

After each row the origin must have seen what the row says and nothing else.
"""
import itertools
from dataclasses import dataclass, field

from support import h2
from support.client import get
from support.corpus import Want, compare
from support.h2 import H2Client, headers, request
from support.wire import Ended, WireError

PROBE = 0x7FFF0001  # a stream that no row uses
NEXT, BARRIER = "/probe", "/barrier"


@dataclass
class Outcome:
    kind: str
    stream: int = 1
    codes: tuple = ()
    statuses: tuple = ()
    requests: list = field(default_factory=list)  # Want, at the origin; None: not looked at
    ends: bool = False                            # the connection ends afterwards, too


@dataclass
class Case:
    name: str
    steps: list
    outcomes: list
    greets: bool = True    # preface and SETTINGS first
    first: tuple = ()      # our SETTINGS


def goaway(*codes, requests=()):
    """`requests`: what was served before the fault; None: that may be some or none."""
    return Outcome("goaway", codes=codes, requests=requests if requests is None else list(requests))


def closed():
    """The connection ends, with GOAWAY or without: the preface was not one (RFC 9113 §3.4)."""
    return Outcome("closed")


def reset(*codes, stream=1, requests=()):
    return Outcome("reset", stream, codes, requests=requests if requests is None else list(requests))


def answered(*statuses, stream=1, requests=(), ends=False):
    return Outcome("answered", stream, statuses=statuses, requests=requests if requests is None else list(requests), ends=ends)


def served(*wants, ends=False):
    """Streams 1, 3, 5, … get 200; `ends`: the connection is not expected to go on."""
    return Outcome("served", requests=list(wants), ends=ends)


def cut(stream=1):
    return Outcome("cut", stream, statuses=(400, 413), codes=(h2.PROTOCOL_ERROR, h2.STREAM_CLOSED, h2.CANCEL))


def malformed(stream=1, requests=()):
    """RFC 9113 §8.1.1: a stream error PROTOCOL_ERROR, or an answer that says so."""
    return [reset(h2.PROTOCOL_ERROR, stream=stream, requests=requests), answered(400, stream=stream, requests=requests)]


def case(name, *steps, wants, **more):
    return Case(name, list(steps), wants if isinstance(wants, list) else [wants], **more)


# -- steps that are not bytes

def until_answered(stream=1):
    return lambda client: client.answer(stream, 8)


def until_settings(client):
    """Ours are acknowledged and theirs known."""
    client.pump(lambda: client.settings is not None and client.settings_acks, 8)


def until_pong(client):
    """What was sent so far has been looked at."""
    client.sync(8)


# -- judging

def run(row, proxy, origin):
    """Play one row; returns None, or what is wrong."""
    mark = origin.mark()
    with H2Client(proxy.address, first=row.first, greet=row.greets, timeout=8) as client:
        try:
            for is_octets, steps in itertools.groupby(row.steps, lambda step: isinstance(step, bytes)):
                if is_octets:
                    client.send(b"".join(steps))
                else:
                    for step in steps:
                        step(client)
            _await(client, row)
        except (Ended, TimeoutError):
            pass  # judged as it stands
        except WireError as fault:
            return f"the proxy broke a rule: {fault}; {client!r}"
        said = repr(client)
        faults = [_judge_client(outcome, client) for outcome in row.outcomes]
        right = [outcome for outcome, fault in zip(row.outcomes, faults) if fault is None]
        fault = _goes_on(client, right[0]) if right else " | ".join(faults)
    fault = fault or _barrier(proxy)
    if not fault:  # what came last is there: whatever is on its way behind it would be, too
        faults = [_judge_origin(outcome, origin, mark) for outcome in right]
        fault = " | ".join(faults) if None not in faults else None
    return f"{fault}\n  client   {said}\n  origin   {origin.since(mark)}" if fault else None


def _await(client, row):
    """Until one of the outcomes is there for the client, or the connection is over."""
    client.pump(lambda: any(_judge_client(outcome, client) is None for outcome in row.outcomes), 8)


def _judge_client(outcome, client):
    kind = outcome.kind
    codes = [code for _, code, _ in client.goaways]
    if kind == "closed":
        return None if client.has_ended else "closed: the connection is open"
    if kind == "goaway":
        if not any(code in outcome.codes for code in codes):
            return f"goaway: one of {outcome.codes} wanted"
        return None if client.has_ended else "goaway: the connection is still open"
    if client.has_ended and not outcome.ends:
        return f"{kind}: the connection ended"
    if kind == "served":
        got = [client.stream(1 + 2 * i) for i in range(len(outcome.requests))]
        if any(not answer.has_ended or answer.status != 200 for answer in got):
            return f"served: {got}"
        return None
    answer = client.stream(outcome.stream)
    if kind in ("answered", "cut") and answer.status in outcome.statuses and answer.has_ended:
        return None
    if kind in ("reset", "cut") and answer.status is None and answer.reset in outcome.codes:
        return None
    return f"{kind}: {outcome.statuses or ''} {outcome.codes or ''} wanted on stream {outcome.stream}, got {answer}"


def _judge_origin(outcome, origin, mark):
    wants = outcome.requests
    origin.settle()
    if wants and outcome.kind != "cut":
        _wait_requests(len(wants), origin, mark)
    seen = origin.since(mark)
    if seen.errors:
        return f"the origin got bytes it could not read beyond doubt: {seen.errors}"
    requests, heads = _of_the_row(seen.requests), _of_the_row(seen.heads)
    if len(seen.heads) - len(heads) != (1 if _is_over(outcome) else 2):
        return "something was left behind: the next requests did not arrive alone"
    if wants is None:
        return None
    if outcome.kind == "cut":
        return _judge_cut(requests, heads, origin)
    if len(requests) != len(wants) or len(heads) != len(wants):
        return f"{outcome.kind}: {len(wants)} requests wanted at the origin, {len(requests)} seen, {len(heads)} heads"
    for want, request_seen in zip(sorted(wants, key=_order), sorted(requests, key=_order)):
        fault = compare(want, request_seen)
        if fault:
            return f"{outcome.kind}: {fault}"
    return None


def _judge_cut(requests, heads, origin):
    if requests:
        return "cut: a whole request reached the origin"
    for head in heads:
        try:
            origin.wait_for(lambda o, n=head.connection: not o.connections[n].open, 5)
        except AssertionError:
            return "cut: the origin's connection stays open after the fault"
    return None


def _of_the_row(seen):
    return [one for one in seen if one.target not in (NEXT, BARRIER)]


def _is_over(outcome):
    return outcome.kind in ("goaway", "closed") or outcome.ends


def _order(one):
    return one.target, one.method


def _wait_requests(count, origin, mark):
    try:
        origin.wait_for(lambda _: len(_of_the_row(origin.since(mark).requests)) >= count, 5)
    except AssertionError:
        pass


def _goes_on(client, outcome):
    """The connection serves one more request."""
    if _is_over(outcome):
        return None
    client.answers_settings = client.opens_windows = True
    try:
        client.send(h2.settings((h2.INITIAL_WINDOW_SIZE, h2.DEFAULT_WINDOW)))
        client.send(headers(PROBE, request(path=NEXT)))
        answer = client.answer(PROBE, 8)
    except (Ended, TimeoutError, WireError) as fault:
        return f"the connection does not go on: {fault!r}"
    return None if answer.status == 200 and answer.has_ended else f"the connection does not go on: {answer}"


def _barrier(proxy):
    """Somebody else is served beside it."""
    answer = get(proxy.address, BARRIER)
    return None if answer.status == 200 else f"somebody else got {answer.status} afterwards"


__all__ = ["Case", "Outcome", "Want", "answered", "case", "closed", "cut", "goaway", "malformed", "reset", "run", "served",
           "until_answered", "until_pong", "until_settings"]
