"""The table of answers once more: what an HTTP/2 client gets, and that nobody else gets the rest."""
import pytest
import table_answers

from support import response_corpus
from support.bench import Bench

CASES = [case for case in table_answers.CASES if response_corpus.is_for_h2(case)]


@pytest.fixture(scope="module")
def bench():
    made = Bench(timeouts={"response": "2s"})
    yield made
    made.stop()


@pytest.mark.parametrize("case", [pytest.param(case, id=case.name) for case in CASES])
def test_answer(bench, case):
    bench.judge(case, response_corpus.run_h2)
