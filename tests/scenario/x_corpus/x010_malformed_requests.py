"""Every row of the request tables: what the origin saw, and what the client got."""
import pytest
import table_chunks
import table_fields
import table_framing
import table_hop_by_hop
import table_host
import table_lines
import table_sequences

from support import corpus
from support.origin import Origin, ok
from support.proxy import simple_proxy

TABLES = (table_framing, table_chunks, table_fields, table_lines, table_host, table_hop_by_hop, table_sequences)
ALL = [(table.__name__[len("table_"):], case) for table in TABLES for case in table.CASES]


class Bench:
    """One proxy and one origin for the whole table; a proxy that died is replaced, so that one row costs one failure."""

    def __init__(self):
        self.origin = Origin(ok())
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
    assert len(set(names)) == len(names) and len(names) >= 180


@pytest.mark.parametrize("case", [pytest.param(case, id=f"{table}: {case.name}") for table, case in ALL])
def test_request(bench, case):
    proxy = bench.ready()
    fault = corpus.run(case, proxy, bench.origin)
    if not proxy.is_running():
        fault = f"the proxy died of it:\n{proxy.stderr_text()[-3000:]}"
        proxy.discard()
        bench.proxy = None
    assert fault is None, fault
