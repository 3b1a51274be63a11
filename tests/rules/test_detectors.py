"""Each detector of detect/rules.def says all it should, and has a test that it fires and one that it does not."""
import re

import pytest
import source_tree

ROWS = [(macro, arguments) for _, macro, arguments in source_tree.rows("detect/rules.def")]
RULES = {arguments[0]: arguments for macro, arguments in ROWS if macro == "RULE"}
TESTS = "".join(source_tree.text(path) for path in source_tree.files(r"^tests/unit/detect/.*_test\.c$"))


def test_no_id_stands_twice():
    ids = [arguments[0] for _, arguments in ROWS]
    assert len(ids) == len(set(ids)) and all(re.fullmatch(r"[DCRTHMSX]\d{3}", id) for id in ids)


@pytest.mark.parametrize("id", RULES)
def test_a_rule_has_title_reason_and_remedy(id):
    _, _, _, _, _, *texts = RULES[id]
    assert len(texts) == 3 and all(len(source_tree.words(text).split()) >= 3 for text in texts)
    assert not source_tree.words(texts[0]).endswith("."), "a title is no sentence"


@pytest.mark.parametrize("id", RULES)
def test_a_rule_has_a_test_that_it_fires_and_one_that_it_does_not(id):
    assert re.search(r'FIRES\(\s*"%s"' % id, TESTS) and re.search(r'QUIET\(\s*"%s"' % id, TESTS)


@pytest.mark.parametrize("macro, arguments", [row for row in ROWS if row[0] != "RULE"], ids=lambda v: str(v)[:12])
def test_a_row_without_a_rule_says_why(macro, arguments):
    assert macro in ("ELSEWHERE", "NOT_APPLICABLE") and len(source_tree.words(arguments[3]).split()) >= 4
