"""The HTTP/2 tables, damaged at random: whatever comes, the process lives, the origin reads each byte, and others are served."""
import os
import random

import pytest
import table_h2_fields
import table_h2_frames
import table_h2_hpack
import table_h2_smuggling
import table_h2_streams

from support import h2
from support.client import get
from support.h2 import H2Client
from support.origin import Origin, before_body, ok, stall
from support.proxy import simple_proxy
from support.wire import Ended, WireError

SEED = int(os.environ.get("TWOKEY_SEED", "0")) or random.randrange(1 << 30)
ROUNDS = int(os.environ.get("TWOKEY_ROUNDS", "400"))
CASES = [case for table in (table_h2_fields, table_h2_frames, table_h2_hpack, table_h2_smuggling, table_h2_streams) for case in table.CASES]


def frames_of(octets):
    """Whole frames, as far as they are."""
    found, at = [], 0
    while at < len(octets):
        length = int.from_bytes(octets[at:at + 3], "big")
        found.append(octets[at:at + 9 + length])
        at += 9 + length
    return found


def damaged(rng):
    """Frames of one or two rows in which something was changed."""
    rows = rng.sample(CASES, rng.choice((1, 1, 2)))
    frames = [frame for row in rows for step in row.steps if isinstance(step, bytes) for frame in frames_of(step)][:40] or [h2.ping()]
    for _ in range(rng.randint(1, 4)):
        at = rng.randrange(len(frames))
        what = rng.randrange(7)
        octets = bytearray(frames[at])
        if what == 0 and octets:
            octets[rng.randrange(len(octets))] = rng.randrange(256)
        elif what == 1 and len(octets) > 4:
            octets[rng.choice((3, 4))] ^= 1 << rng.randrange(8)
        elif what == 2:
            del octets[rng.randrange(len(octets) + 1):]
        elif what == 3:
            frames.insert(rng.randrange(len(frames) + 1), bytes(octets))
            continue
        elif what == 4:
            frames.insert(rng.randrange(len(frames) + 1), frames.pop(at))
            continue
        elif what == 5 and len(octets) > 9:
            octets[5:9] = rng.choice((0, 1, 3, 5, 2, 0x7FFFFFFF)).to_bytes(4, "big")
        else:
            spot = rng.randrange(len(octets) + 1)
            octets[spot:spot] = rng.randbytes(rng.randint(1, 9))
        frames[at] = bytes(octets)
    return b"".join(frames)


def play(proxy, rng):
    octets = damaged(rng)
    with H2Client(proxy.address, timeout=5, keep=False) as client:
        try:
            client.send(octets)
            client.send(h2.ping(b"the end."))
            client.pump(lambda: client.has_ended or client.goaways or b"the end." in client.pongs, rng.choice((0.02, 0.05, 0.2)))
        except (TimeoutError, Ended):
            pass  # it waits for the rest of a frame
        except WireError as fault:
            assert "nobody opened" in str(fault), f"{fault} after {octets!r}"  # the damage opened it


@pytest.mark.timeout(120)
def test_damaged_frames():
    origin = Origin({"/stall": before_body(stall()), "*": ok()})
    proxy = simple_proxy(origin, process={"workers": 1}, pool={"ejection": {"consecutive_failures": 0}},
                         listener={"timeouts": {"body_idle": "1s", "headers": "1s"}}).start()
    try:
        for turn in range(ROUNDS):
            rng = random.Random(SEED * 1000003 + turn)
            play(proxy, rng)
            assert proxy.is_running(), f"TWOKEY_SEED={SEED}, turn {turn}: the proxy died:\n{proxy.stderr_text()[-3000:]}"
            assert not origin.errors, f"TWOKEY_SEED={SEED}, turn {turn}: the origin got {origin.errors}"
            if turn % 50 == 0:
                assert get(proxy.address).status == 200
        proxy.wait_for(lambda: proxy.server("s1")["now"]["in_flight"] == 0)
        proxy.stop()
    finally:
        origin.stop()
        proxy.discard()
