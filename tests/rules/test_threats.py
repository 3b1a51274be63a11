"""The table of attacks in docs/threat-model.md has every number, and the tests that it names are there."""
import os
import re

import source_tree

ROW = re.compile(r"^\| (E-\d+) [^|]*\|[^|]*\| ([^|]*) \|$", re.M)
UNIT = "tests/unit/change/attacks_test.c"


def table():
    return ROW.findall(source_tree.text("docs/threat-model.md"))


def test_every_number_is_there_once():
    assert [number for number, _ in table()] == [f"E-{n}" for n in range(1, 39)]


def test_what_it_names_is_there():
    scenarios = {os.path.basename(path).split("_")[0] for path in source_tree.files(r"^tests/scenario/.*\.py$")}
    units = set(re.findall(r"static void (e\d+)_", source_tree.text(UNIT)))
    files = {os.path.basename(path) for path in source_tree.files(r"^(tests/unit|change)/.*\.c$")}
    for number, where in table():
        names = re.findall(r"`([^`]*)`", where)
        assert names or "later" in where, f"{number} has no test, and no reason"
        for name in names:
            known = name in scenarios or name.partition("_")[0] in units or os.path.basename(name) in files or name == "publish"
            assert known, f"{number}: {name} is nowhere"


def test_each_attack_that_is_tested_is_in_the_table():
    named = " ".join(where for _, where in table())
    for path in source_tree.files(r"^tests/scenario/k9\d\d_e\d+_.*\.py$"):
        assert os.path.basename(path).split("_")[0] in named, path
