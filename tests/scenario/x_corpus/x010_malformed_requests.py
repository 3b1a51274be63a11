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
from support.bench import Bench
from support.origin import ok

TABLES = (table_framing, table_chunks, table_fields, table_lines, table_host, table_hop_by_hop, table_sequences)
ALL = [(table.__name__[len("table_"):], case) for table in TABLES for case in table.CASES]


@pytest.fixture(scope="module")
def bench():
    made = Bench(ok())
    yield made
    made.stop()


def test_names_are_unique_and_there_are_enough():
    names = [f"{table}: {case.name}" for table, case in ALL]
    assert len(set(names)) == len(names) and len(names) >= 180


@pytest.mark.parametrize("case", [pytest.param(case, id=f"{table}: {case.name}") for table, case in ALL])
def test_request(bench, case):
    bench.judge(case, corpus.run)
