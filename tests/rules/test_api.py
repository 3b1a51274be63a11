"""The API's table of calls, its table of problems, and the page that documents them say the same."""
import re

import source_tree
from source_tree import rows

PAGE = "docs/api.md"


def strings(arguments):
    return [argument.strip('"') for argument in arguments]


def test_the_page_lists_every_call_and_no_other():
    calls = {"%s %s" % (row[1], row[2]) for row in (strings(arguments) for _, macro, arguments in rows("admin/operations.def")
                                                    if macro == "OPERATION") if row[0] != "id"}
    listed = set(re.findall(r"^\| `([A-Z]+ /[^`]*)`", source_tree.text(PAGE), flags=re.M))
    assert listed == calls


def test_the_page_lists_every_problem_with_its_status():
    problems = {(row[1], row[2]) for row in (strings(arguments) for _, _, arguments in rows("admin/problems.def"))}
    listed = set(re.findall(r"^\| `([a-z-]+)` \| (\d+) \|", source_tree.text(PAGE), flags=re.M))
    assert listed == problems


def test_every_shape_that_a_call_names_is_described():
    shapes = {arguments[0] for _, macro, arguments in rows("admin/shapes.def") if macro == "SHAPE"}
    named = {row[place] for row in (strings(arguments) for _, macro, arguments in rows("admin/operations.def")
                                    if macro == "OPERATION") if row[0] != "id"
             for place in (5, 6) if row[place] and "/" not in row[place]}
    named = {word for name in named for word in name.split() if not word.isdigit()}  # "201 Change"
    assert named <= shapes


def test_whatever_the_ledger_refuses_has_a_problem():
    known = {strings(arguments)[1] for _, _, arguments in rows("admin/problems.def")}
    said = set()
    for path in source_tree.files(r"^change/.*\.c$"):
        said |= set(re.findall(r'\brefuse(?:_with|_findings)?\(\s*[a-z_&>-]+,\s*"([a-z-]+)"', source_tree.text(path)))
    assert said <= known
