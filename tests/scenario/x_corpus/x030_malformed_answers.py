"""Every row of the table of answers: what the client got, and that nobody else gets the rest."""
import pytest
import table_answers

from support import response_corpus
from support.bench import Bench

CASES = table_answers.CASES


@pytest.fixture(scope="module")
def bench():
    made = Bench(timeouts={"response": "2s"})
    yield made
    made.stop()


def test_names_are_unique_and_there_are_enough():
    names = [case.name for case in CASES]
    assert len(set(names)) == len(names) and len(names) >= 60


@pytest.mark.parametrize("case", [pytest.param(case, id=case.name) for case in CASES])
def test_answer(bench, case):
    bench.judge(case, response_corpus.run)
