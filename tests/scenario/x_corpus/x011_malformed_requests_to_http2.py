"""The request tables once more, before a server that speaks HTTP/2: its streams are these requests and nothing else."""
import pytest
from x010_malformed_requests import ALL

from support import corpus
from support.bench import Bench
from support.h2_origin import H2Origin, h2_ok, h2_pool


@pytest.fixture(scope="module")
def bench():
    made = Bench(h2_ok(headers=[("content-length", "3")]), speaks=H2Origin, **h2_pool())
    yield made
    made.stop()


@pytest.mark.parametrize("case", [pytest.param(case, id=f"{table}: {case.name}") for table, case in ALL if corpus.is_for_h2(case)])
def test_request(bench, case):
    bench.judge(case, corpus.run_to_h2)
