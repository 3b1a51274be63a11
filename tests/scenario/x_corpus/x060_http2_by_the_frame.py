"""Every row of the HTTP/2 tables: what the client got, and what the origin saw."""
import pytest
import table_h2_fields
import table_h2_frames
import table_h2_hpack
import table_h2_smuggling
import table_h2_streams

from support import h2_corpus
from support.origin import Origin, before_body, ok, stall
from support.proxy import simple_proxy

TABLES = (table_h2_frames, table_h2_streams, table_h2_fields, table_h2_hpack, table_h2_smuggling)
ALL = [(table.__name__[len("table_h2_"):], case) for table in TABLES for case in table.CASES]
ORIGIN = {"/stall": before_body(stall()), "*": ok()}


class Bench:
    """One proxy and one origin for the whole table; a proxy that died is replaced, so that one row costs one failure."""

    def __init__(self):
        self.origin = Origin(ORIGIN)
        self.proxy = None

    def ready(self):
        if self.proxy is None or not self.proxy.is_running():
            self.proxy = simple_proxy(self.origin, process={"workers": 1}, pool={"ejection": {"consecutive_failures": 0}}).start()
        return self.proxy


@pytest.fixture(scope="module")
def bench():
    made = Bench()
    yield made
    made.origin.stop()
    if made.proxy is not None:
        try:
            made.proxy.stop()
        finally:
            made.proxy.discard()


def test_names_are_unique_and_there_are_enough():
    names = [f"{table}: {case.name}" for table, case in ALL]
    assert len(set(names)) == len(names) and len(names) >= 250


@pytest.mark.parametrize("case", [pytest.param(case, id=f"{table}: {case.name}") for table, case in ALL])
def test_frames(bench, case):
    proxy = bench.ready()
    fault = h2_corpus.run(case, proxy, bench.origin)
    if not proxy.is_running():
        fault = f"the proxy died of it:\n{proxy.stderr_text()[-3000:]}"
        proxy.discard()
        bench.proxy = None
    assert fault is None, fault
