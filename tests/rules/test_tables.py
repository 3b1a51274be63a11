"""The .def tables: each row explains itself, and names nothing twice."""
import re

import pytest
import source_tree

TABLES = source_tree.files(r"^(base|config|observe|proxy|admin|detect|change|watch)/.*\.def$")


def explained(argument):
    words = "".join(re.findall(source_tree.STRING, argument)).replace('"', " ").split()
    return len(words) >= 2


def explained_by_its_last(arguments):
    """A word may do, after a name that is a string too: HEADER(REFERER, "referer", KEEP, "logged")."""
    strings = [argument for argument in arguments if argument.startswith('"')]
    return len(strings) >= 2 and arguments[-1] == strings[-1] and strings[-1] != '""'


@pytest.mark.parametrize("table", TABLES)
def test_each_row_of_a_table_has_help(table):
    wrong = ["%s:%d: %s(%s…) says nothing to a reader" % (table, line, macro, ", ".join(arguments[:2]))
             for line, macro, arguments in source_tree.rows(table)
             if not any(map(explained, arguments)) and not explained_by_its_last(arguments)]
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("table", TABLES)
def test_a_table_says_what_it_is(table):
    assert source_tree.text(table).startswith("/*"), table + " begins without a purpose"


def test_each_audit_event_that_is_written_is_in_its_table():
    """change/audit.c ends the process at another name; this finds it before anything is run."""
    known = {source_tree.words(name) for _, _, (name, *_) in source_tree.rows("change/audit_events.def")}
    written = {source_tree.words(arguments[2]): "change/change_moves.def"
               for _, macro, arguments in source_tree.rows("change/change_moves.def") if macro == "MOVE"}
    for path in source_tree.files(r"^(change|admin|cli)/.*\.c$"):
        for found in re.finditer(r'(?:step_audit\(&?\w+,\s*|\.event = )"([^"]+)"', source_tree.text(path)):
            written.setdefault(found.group(1), path)
    wrong = ["%s: %s is not in change/audit_events.def" % (path, name) for name, path in sorted(written.items())
             if name not in known]
    assert not wrong, "\n".join(wrong)


def test_each_audit_event_of_the_table_is_written_by_somebody():
    sources = "".join(source_tree.text(path) for path in source_tree.files(r"^(change|admin|cli)/.*\.(c|def)$")
                      if not path.endswith("audit_events.def"))
    unused = [name for _, _, (name, *_) in source_tree.rows("change/audit_events.def") if name not in sources]
    assert not unused, "nobody writes " + ", ".join(unused)
