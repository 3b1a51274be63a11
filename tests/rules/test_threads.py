"""docs/threads.md against the sources: every atomic word is listed, and every listed one exists."""
import re

import source_tree


def atomics():
    """name: where, of each declaration; parameters and locals that only point at a word are left out."""
    found = {}
    for path in source_tree.sources():
        for number, line in enumerate(source_tree.code(path).split("\n"), 1):
            if "_Atomic" not in line or "(" in line.split("_Atomic")[1].split(";")[0].split("=")[0]:
                continue
            if re.match(r"\s+(const )?_Atomic \w+ \*\w+ =", line):
                continue
            for name in re.findall(r"(\w+)\s*(?:\[[^\]]*\])*\s*[;=]", line.split("_Atomic", 1)[1])[:1]:
                found.setdefault(name, "%s:%d" % (path, number))
    return found


def listed():
    rows = [line for line in source_tree.text("docs/threads.md").split("\n") if line.startswith("| ")]
    return {name for row in rows for name in re.findall(r"`(\w+)`", row.split("|")[1])}


def test_every_atomic_word_is_listed_with_its_writer():
    there = listed()
    wrong = ["%s: %s" % (where, name) for name, where in atomics().items() if name not in there]
    assert not wrong, "docs/threads.md says nothing of:\n" + "\n".join(wrong)


def test_every_listed_word_exists():
    known = set(atomics())
    assert len(known) > 15, "the sources are not read well any more"
    wrong = sorted(listed() - known)
    assert not wrong, "docs/threads.md lists words that are not there: " + ", ".join(wrong)
