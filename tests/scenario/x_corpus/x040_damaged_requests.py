"""Whatever a client sends, the origin can read beyond doubt what it gets, and no request comes out of nowhere.

The rows of the request tables, damaged at random (TWOKEY_SEED repeats a run, TWOKEY_ROUNDS makes it longer).
Invariants, whatever the bytes: the origin's strict reader has nothing to complain of; the client's strict reader
neither; as many requests reached the origin as the client got answers for, at most one more; the proxy lives.
"""
import os
import random

import pytest
import table_chunks
import table_fields
import table_framing
import table_hop_by_hop
import table_host
import table_lines
import table_sequences
from mutate import mutate

from support.client import Client, Ended, WireError, get
from support.origin import Origin, ok
from support.proxy import simple_proxy

TABLES = (table_framing, table_chunks, table_fields, table_lines, table_host, table_hop_by_hop, table_sequences)
RAWS = [case.raw for table in TABLES for case in table.CASES if len(case.raw) < 4000]
ROUNDS = int(os.environ.get("TWOKEY_ROUNDS", "1500"))


def answers(client):
    """All statuses until the peer ends."""
    statuses = []
    while True:
        try:
            statuses.append(client.response().status)
        except (Ended, TimeoutError):
            return statuses


@pytest.mark.race
@pytest.mark.slow
@pytest.mark.timeout(240)
def test_damaged_requests():
    seed = int(os.environ.get("TWOKEY_SEED", "20250101"))
    chance = random.Random(seed)
    origin = Origin(ok(b"fine"))
    proxy = simple_proxy(origin, pool={"ejection": {"consecutive_failures": 0}}, listener={"timeouts": {"headers": "1s", "body_idle": "1s"}}).start()
    try:
        for turn in range(ROUNDS):
            raw = mutate(chance, chance.choice(RAWS), RAWS)
            where = f"TWOKEY_SEED={seed}, turn {turn}: {raw!r}"
            mark = origin.mark()
            with Client(proxy.address, timeout=8) as client:
                client.try_send(raw)
                try:
                    client.half_close()
                except OSError:
                    pass  # refused and gone already
                try:
                    statuses = answers(client)
                except WireError as fault:
                    if not raw.startswith(b"HEAD") and b"HEAD" not in raw:
                        pytest.fail(f"the client cannot read its answer: {fault}; {where}")
                    statuses = None
            if not proxy.is_running():
                pytest.fail(f"the proxy died; {where}\n{proxy.stderr_text()[-4000:]}")
            if turn % 10 == 9:
                assert get(proxy.address, "/barrier").body == b"fine", where
            origin.settle()
            seen = origin.since(mark)
            assert not seen.errors, f"the origin cannot read what it got: {seen.errors}; {where}"
            if statuses is not None and b"HEAD" not in raw:
                served = [request for request in seen.requests if request.target != "/barrier"]
                fine = sum(1 for status in statuses if status == 200)
                assert fine <= len(served) <= fine + 1, f"{len(served)} requests for {statuses}; {where}"
    finally:
        origin.stop()
        try:
            proxy.stop()
        finally:
            proxy.discard()
