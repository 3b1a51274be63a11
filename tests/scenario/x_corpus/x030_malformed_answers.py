"""Every row of the table of answers: what the client got, and that nobody else gets the rest."""
import pytest
import table_answers

from support import response_corpus
from support.origin import Origin
from support.proxy import simple_proxy

CASES = table_answers.CASES


@pytest.fixture(scope="module")
def bench():
    made = {"origin": Origin(), "proxy": None}

    def ready():
        if made["proxy"] is None or not made["proxy"].is_running():
            made["proxy"] = simple_proxy(made["origin"], process={"workers": 1}, pool={
                "ejection": {"consecutive_failures": 0}, "timeouts": {"response": "2s"}}).start()
        return made["proxy"], made["origin"]

    ready.forget = lambda: made.update(proxy=None)
    yield ready
    made["origin"].stop()
    if made["proxy"] is not None:
        try:
            made["proxy"].stop()
        finally:
            made["proxy"].discard()


def test_names_are_unique_and_there_are_enough():
    names = [case.name for case in CASES]
    assert len(set(names)) == len(names) and len(names) >= 60


@pytest.mark.parametrize("case", [pytest.param(case, id=case.name) for case in CASES])
def test_answer(bench, case):
    proxy, origin = bench()
    fault = response_corpus.run(case, proxy, origin)
    if not proxy.is_running():
        fault = f"the proxy died of it:\n{proxy.stderr_text()[-3000:]}"
        proxy.discard()
        bench.forget()
    assert fault is None, fault
