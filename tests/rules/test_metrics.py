"""docs/metrics.md against the program: each metric has its line, with the help it shows, and no other has."""
import re

import source_tree

SUFFIX = {"COUNTER": "_total", "GAUGE": ""}
STRINGS = r'"(?:[^"\\]|\\.)*"(?:\s*"(?:[^"\\]|\\.)*")*'


def joined(strings):
    return re.sub(r'"\s*"', "", strings)[1:-1]


def of_the_table():
    """name: help, of each row of counters.def."""
    rows = re.findall(r"^(\w+)_COUNTER\((\w+), (COUNTER|GAUGE),\s*(%s)\)" % STRINGS,
                      source_tree.text("observe/counters.def"), re.M)
    return {"twokey_%s_%s%s" % (scope.lower(), name, SUFFIX[kind]): joined(text)
            for scope, name, kind, text in rows}


def of_the_code():
    """name: help, of the families that code writes: a name, then perhaps a type, then the help."""
    found = {}
    for path in source_tree.files(r"^(admin|change|watch|cli)/.*\.c$"):
        for name, text in re.findall(r'"((?:twokey|process)_\w+)",\s*(?:METRIC_\w+,\s*)?(%s)' % STRINGS,
                                     source_tree.text(path)):
            found[name] = joined(text)
    return found


def of_the_arrays():
    """Those that exposition.c makes of arrays and histograms: name: None, their help is not compared."""
    responses = ["twokey_%s_responses_total" % scope for scope in ("listener", "route", "pool", "server")]
    latency = ["twokey_%s_latency_seconds" % scope for scope in ("route", "pool", "server")]
    return dict.fromkeys(responses + latency + ["twokey_listener_failures_total", "twokey_listener_h2_violations_total", "twokey_pool_failures_total",
                                                "twokey_pool_picked_total", "twokey_server_tls_failures_total"])


def documented():
    return dict(re.findall(r"^\| `(\w+)` \| \w+ \| (.*?) \|", source_tree.text("docs/metrics.md"), re.M))


def test_each_metric_is_documented_as_it_explains_itself():
    there, wrong = documented(), []
    for name, text in {**of_the_table(), **of_the_code(), **of_the_arrays()}.items():
        if name not in there:
            wrong.append("docs/metrics.md lacks %s: %s" % (name, text))
        elif text is not None and there[name] != text:
            wrong.append("docs/metrics.md says of %s: %s; the program: %s" % (name, there[name], text))
    assert not wrong, "\n".join(wrong)


def test_no_metric_is_documented_that_does_not_exist():
    known = {**of_the_table(), **of_the_code(), **of_the_arrays()}
    wrong = [name for name in documented() if name not in known]
    assert not wrong, ", ".join(wrong)


def test_rules_for_prometheus_use_metrics_that_exist():
    known, wrong = documented(), []
    for path in source_tree.files(r"^deploy/.*\.(yml|yaml|json)$"):
        for name in re.findall(r"(?<![\w:])(?:twokey)_\w+(?![\w:])", source_tree.text(path)):
            if re.sub(r"_(bucket|sum|count)$", "", name) not in known and name not in known:
                wrong.append("%s: %s" % (path, name))
    assert not wrong, "\n".join(wrong)
