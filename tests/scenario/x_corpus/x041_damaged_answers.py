"""Whatever an origin answers, the client gets something well-formed or visibly broken, and nobody else gets the rest."""
import os
import random

import pytest
import table_answers
from mutate import mutate

from support.client import Client, Ended, WireError, build, get
from support.origin import CLOSE, Origin, ok
from support.proxy import simple_proxy

RAWS = [case.raw for case in table_answers.CASES if 0 < len(case.raw) < 4000]
ROUNDS = int(os.environ.get("TWOKEY_ROUNDS", "1500"))
AFTER = b"somebody else's answer"


@pytest.mark.race
@pytest.mark.slow
@pytest.mark.timeout(240)
def test_damaged_answers():
    seed = int(os.environ.get("TWOKEY_SEED", "20250102"))
    chance = random.Random(seed)
    now = {"raw": b"", "then": None}

    def behave(conn, _request):
        conn.send(now["raw"])
        return now["then"]
    origin = Origin({"/case": behave, "*": ok(AFTER)})
    proxy = simple_proxy(origin, process={"workers": 1}, pool={
        "ejection": {"consecutive_failures": 0}, "retry": {"attempts": 0}},
        config={"routes": {"case": {"path": "/case", "pool": "app", "timeouts": {"response": "1s"}}}}).start()
    try:
        for turn in range(ROUNDS):
            now["raw"] = mutate(chance, chance.choice(RAWS), RAWS)
            now["then"] = None if turn % 40 == 0 else CLOSE
            where = f"TWOKEY_SEED={seed}, turn {turn}: {now['raw']!r}"
            with Client(proxy.address, timeout=8) as client:
                client.send(build(target="/case"))
                try:
                    answer = client.response()
                    if not answer.says_close and answer.framing != "close":
                        client.send(build(target="/probe"))
                        assert client.response().body == AFTER, where
                except Ended:
                    pass  # visibly broken
                except WireError as fault:
                    pytest.fail(f"the client cannot read what it got: {fault}; {where}\n{bytes(client.stream.raw)!r}")
            if not proxy.is_running():
                pytest.fail(f"the proxy died; {where}\n{proxy.stderr_text()[-4000:]}")
            assert get(proxy.address, "/barrier").body == AFTER, where
            assert not origin.errors, f"{origin.errors}; {where}"
    finally:
        origin.stop()
        try:
            proxy.stop()
        finally:
            proxy.discard()
