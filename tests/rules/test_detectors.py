"""Each detector of detect/rules.def says all it should, and has tests: it fires, it does not, on both sides of its limit."""
import re

import pytest
import source_tree

ROWS = [(macro, arguments) for _, macro, arguments in source_tree.rows("detect/rules.def")]
RULES = {arguments[0]: arguments for macro, arguments in ROWS if macro == "RULE"}
CASES = [(rule, kind) for rule, kind, _ in source_tree.detector_cases()]


def test_no_id_stands_twice():
    ids = [arguments[0] for _, arguments in ROWS]
    assert len(ids) == len(set(ids)) and all(re.fullmatch(r"[DCRTHMSX]\d{3}", id) for id in ids)


@pytest.mark.parametrize("id", RULES)
def test_a_rule_has_title_reason_and_remedy(id):
    _, _, _, _, _, *texts = RULES[id]
    assert len(texts) == 3 and all(len(source_tree.words(text).split()) >= 3 for text in texts)
    assert not source_tree.words(texts[0]).endswith("."), "a title is no sentence"


@pytest.mark.parametrize("id", RULES)
def test_a_rule_has_cases_where_it_fires_where_not_and_on_both_sides_of_its_limit(id):
    kinds = [kind for rule, kind in CASES if rule == id]
    assert len(kinds) >= 3 and {"JUST_FIRES", "JUST_QUIET"} <= set(kinds), kinds


@pytest.mark.parametrize("macro, arguments", [row for row in ROWS if row[0] != "RULE"], ids=lambda v: str(v)[:12])
def test_a_row_without_a_rule_says_why(macro, arguments):
    assert macro in ("ELSEWHERE", "NOT_APPLICABLE") and len(source_tree.words(arguments[3]).split()) >= 4
    assert macro == "NOT_APPLICABLE" or len(source_tree.words(arguments[4]).split()) >= 4, "what to do?"
