"""Every row of the HTTP/2 tables: what the client got, and what the origin saw."""
import pytest
import table_h2_fields
import table_h2_frames
import table_h2_hpack
import table_h2_smuggling
import table_h2_streams

from support import h2_corpus
from support.bench import Bench
from support.origin import before_body, ok, stall

TABLES = (table_h2_frames, table_h2_streams, table_h2_fields, table_h2_hpack, table_h2_smuggling)
ALL = [(table.__name__[len("table_h2_"):], case) for table in TABLES for case in table.CASES]
ORIGIN = {"/stall": before_body(stall()), "*": ok()}


@pytest.fixture(scope="module")
def bench():
    made = Bench(ORIGIN)
    yield made
    made.stop()


def test_names_are_unique_and_there_are_enough():
    names = [f"{table}: {case.name}" for table, case in ALL]
    assert len(set(names)) == len(names) and len(names) >= 250


@pytest.mark.parametrize("case", [pytest.param(case, id=f"{table}: {case.name}") for table, case in ALL])
def test_frames(bench, case):
    bench.judge(case, h2_corpus.run)
