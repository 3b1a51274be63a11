"""The .def tables: each row explains itself, and names nothing twice."""
import re

import pytest
import source_tree

TABLES = source_tree.files(r"^(base|config|observe|proxy|admin|detect)/.*\.def$")
STRING = r'"(?:\\.|[^"\\])*"'


def rows(path):
    """(line, macro, arguments) of each row; neighbouring strings are one argument."""
    text = re.sub(r"/\*.*?\*/", lambda m: "\n" * m.group().count("\n"), source_tree.text(path), flags=re.S)
    text = re.sub(r"^[ \t]*#.*$", "", text, flags=re.M)
    for found in re.finditer(r"^([A-Z][A-Z0-9_]*)\(", text, flags=re.M):
        depth, at, argument, arguments = 1, found.end(), "", []
        while depth and at < len(text):
            string = re.compile(STRING).match(text, at)
            if string:
                argument, at = argument + string.group(), string.end()
                continue
            char = text[at]
            depth += (char in "({") - (char in ")}")
            if (char == "," and depth == 1) or not depth:
                arguments.append(argument.strip())
                argument = ""
            else:
                argument += char
            at += 1
        yield text.count("\n", 0, found.start()) + 1, found.group(1), arguments


def explained(argument):
    words = "".join(re.findall(STRING, argument)).replace('"', " ").split()
    return len(words) >= 2


def explained_by_its_last(arguments):
    """A word may do, after a name that is a string too: HEADER(REFERER, "referer", KEEP, "logged")."""
    strings = [argument for argument in arguments if argument.startswith('"')]
    return len(strings) >= 2 and arguments[-1] == strings[-1] and strings[-1] != '""'


@pytest.mark.parametrize("table", TABLES)
def test_each_row_of_a_table_has_help(table):
    wrong = ["%s:%d: %s(%s…) says nothing to a reader" % (table, line, macro, ", ".join(arguments[:2]))
             for line, macro, arguments in rows(table)
             if not any(map(explained, arguments)) and not explained_by_its_last(arguments)]
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("table", TABLES)
def test_a_table_says_what_it_is(table):
    assert source_tree.text(table).startswith("/*"), table + " begins without a purpose"
