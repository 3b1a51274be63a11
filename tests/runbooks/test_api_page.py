"""
docs/api-calls.md: every call of the API is on it, is run, and answers what the page shows.

TWOKEY_WRITE=1 writes what was printed into the page.
"""
import os
import re

import pytest

import console
from support.proxy import ROOT

PAGE = os.path.join(ROOT, "docs", "api-calls.md")


def there(stage, text):
    """Ports as the page has them."""
    for port, given in stage.ports.items():
        text = re.sub(r"(?<!\d)%s(?!\d)" % given, port, text)
    return text


def written(text, results):
    """The page with what was printed: results by the line of the command."""
    out, is_output = [], False
    for number, line in enumerate(text.split("\n"), 1):
        if number in results:
            out.append(line)
            out += results[number]
            is_output = True
        elif not is_output or line.startswith(("$ ", "```")):
            is_output = False
            out.append(line)
    return "\n".join(out)


@pytest.mark.timeout(300)
def test_every_call_answers_what_the_page_shows():
    with open(PAGE, encoding="utf-8") as file:
        text = file.read()
    stage, results, wrong = console.Stage(), {}, []
    try:
        stage.start()
        for line, command, expected in console.blocks(text):
            if console.is_kept(command):
                assert stage.run(line, command, []) is None
                continue
            printed = [there(stage, printed) for printed in stage.once(command)]
            results[line] = printed
            if not console.agrees(expected, printed):
                wrong.append(f"line {line}: $ {command}\n-- shown:\n" + "\n".join(expected) + "\n-- printed:\n" + "\n".join(printed))
        assert stage.proxy.poll() is None, "the proxy has ended:\n" + stage.log()
    finally:
        stage.end()
    if os.environ.get("TWOKEY_WRITE"):
        with open(PAGE, "w", encoding="utf-8") as file:
            file.write(written(text, results))
        return
    assert not wrong, "\n\n".join(wrong)


def test_no_call_is_missing():
    with open(PAGE, encoding="utf-8") as file:
        commands = " ".join(command for _, command, _ in console.blocks(file.read()))
    with open(os.path.join(ROOT, "admin", "operations.def")) as file:
        rows = re.findall(r'^OPERATION\((\w+), (\w+), "([^"]+)"', file.read(), flags=re.M)
    missing = []
    for operation, _, path in rows:
        shape = re.sub(r"\\\{\w+\\\}", r"[^/ ]+(?: [^/ ]+)*?", re.escape(path))
        if operation not in ("id",) and not re.search(r"(\$A|localhost)" + shape + r'(?=[ "?]|$)', commands):
            missing.append(path)
    assert not missing
