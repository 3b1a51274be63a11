"""Whatever is under way, a stop ends with 0 within its time, and so does a second signal at once."""
import importlib.util
import os
import random
import signal
import time

import pytest

from support.origin import Origin

spec = importlib.util.spec_from_file_location(
    "everything", os.path.join(os.path.dirname(__file__), "l090_everything_at_once.py"))
everything = importlib.util.module_from_spec(spec)
spec.loader.exec_module(everything)


@pytest.mark.race
@pytest.mark.parametrize("signals, timeout", [(1, "500ms"), (2, "60s")], ids=["one-signal", "two-signals"])
def test_it_stops(make_proxy, signals, timeout):
    origins = [Origin(everything.anything(random.Random(i)), keep=False) for i in range(2)]
    for round_number in range(2):
        proxy = make_proxy(origins, process={"shutdown_timeout": timeout},
                           pool={"timeouts": {"response": "2s"}, "retry": {"attempts": 2}, "ejection": {"consecutive_failures": 0}})
        counts, until = {"cut": 0}, time.monotonic() + 10
        loads = [everything.Load(proxy.address, 100 * round_number + number, until, [], counts) for number in range(16)]
        for load in loads:
            load.thread.start()
        time.sleep(0.6)
        began = time.monotonic()
        for _ in range(signals):
            proxy.signal(signal.SIGTERM)
            time.sleep(0.05)
        assert proxy.wait_exit(15) == 0
        assert time.monotonic() - began < 10
        for load in loads:
            load.until = 0
        for load in loads:
            load.thread.join(10)
    for origin in origins:
        origin.stop()
