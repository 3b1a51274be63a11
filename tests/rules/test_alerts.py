"""Each alert that a source tells has its row in watch/alerts.def, with its severity and a page that exists."""
import re

import pytest
import source_tree

ROWS = {arguments[0]: arguments for _, _, arguments in source_tree.rows("watch/alerts.def")}
MONITOR = "observe/monitor_rules.def"
# a name, where a source tells it, perhaps with its severity; sources write it in one of these ways
TOLD = [r'"name",\s*"([A-Z]\w+)",\s*"severity",\s*"(\w+)"',   # json_pack
        r'"name",\s*"([A-Z]\w+)"()',
        r'add_alert\(\s*(?:list|ledger|ledger, list),\s*"([A-Z]\w+)",\s*"(\w+)"',
        r'add_alert\(\s*ledger, list,\s*"([A-Z]\w+)"()',
        r'note\(ledger,\s*(?:[^;"]*\?\s*)?"([A-Z]\w+)"(?:\s*:\s*"[A-Z]\w+")?,\s*"(\w+)"',
        r'tell\(watch,\s*"([A-Z]\w+)"()', r'add\(list,\s*"([A-Z]\w+)"()']


def told():
    """(file, name, severity or "") of each."""
    for path in source_tree.files(r"^(watch|change)/.*\.c$"):
        for pattern in TOLD:
            for name, severity in re.findall(pattern, source_tree.text(path)):
                yield path, name, severity
    for _, _, arguments in source_tree.rows(MONITOR):  # which says its severity by case
        yield MONITOR, source_tree.words(arguments[3]), ""


def test_each_alert_that_is_told_has_a_row():
    found = set(told())
    assert len({name for _, name, _ in found}) >= len(ROWS) * 3 // 4, "the patterns above no longer find what sources tell"
    wrong = ["%s: %s is not in watch/alerts.def" % (path, name) for path, name, _ in found if name not in ROWS]
    assert not wrong, "\n".join(wrong)


def test_a_severity_that_a_source_says_is_its_rows():
    wrong = ["%s: %s is %s here" % (path, name, severity) for path, name, severity in told()
             if severity and name in ROWS and source_tree.words(ROWS[name][1]) != severity]
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("name", ROWS)
def test_a_row_leads_to_a_runbook(name):
    page = "runbooks/" + source_tree.words(ROWS[name][5])
    assert page in source_tree.files(r"^runbooks/.*\.md$"), page


@pytest.mark.parametrize("name", ROWS)
def test_each_row_is_told_by_somebody(name):
    sources = "".join(source_tree.text(path) for path in source_tree.files(r"^(watch|change)/.*\.c$") + [MONITOR])
    assert '"%s"' % name in sources, "nobody tells " + name
