"""Two hundred configurations as careful people write them, and careful changes of them, have no error; each single mistake has one."""
import json
import os
import subprocess
from concurrent.futures import ThreadPoolExecutor

import pytest

from support import configurations
from support.proxy import binary

pytestmark = pytest.mark.waits

SANE = range(1, 201)
had = {}  # what is found in a configuration before anything is done to it
IS_SLOW = float(os.environ.get("TWOKEY_TEST_SCALE", "1")) > 1  # a sanitizer: it looks at a part of them
EACH = 2 if IS_SLOW else 10  # configurations that a mistake, or a careful change, is made in


def write(directory, document):
    directory.mkdir(parents=True)
    (directory / "10-all.json").write_text(json.dumps(document))
    return str(directory)


def findings(target, base=None):
    done = subprocess.run([binary(), "check", "--config", target, *(["--base", base] if base else []), "--format", "json"],
                          capture_output=True, text=True, timeout=120)
    assert done.returncode in (0, 1), done.stderr
    return json.loads(done.stdout)["findings"]


def errors(seed, found):
    return [(seed, finding["rule"], finding["pointer"], finding["message"]) for finding in found
            if finding["severity"] in ("error", "block")]


def places(rule, found):
    return {finding["pointer"] for finding in found if finding["rule"] == rule and finding["severity"] != "info"}


def of_all(look, items):
    with ThreadPoolExecutor(2) as threads:
        return [row for rows in threads.map(look, items) for row in rows]


def take(make, wanted):
    """The first `wanted` of what make(seed) gives."""
    made = [(seed, one) for seed in SANE for one in [make(seed)] if one is not None][:wanted]
    assert len(made) == wanted, "too few configurations in which this can be done"
    return made


@pytest.mark.parametrize("first", SANE[:20:20] if IS_SLOW else SANE[::20])
def test_careful_configurations_have_no_error(first, tmp_path):
    def look(seed):
        return errors(seed, findings(write(tmp_path / str(seed), configurations.sane(seed))))

    wrong = of_all(look, SANE[first - 1:first + 19])
    assert not wrong, wrong[:10]


@pytest.mark.parametrize("number", range(len(configurations.CAREFUL)), ids=[change.__name__ for change in configurations.CAREFUL])
def test_a_careful_change_has_no_error(number, tmp_path):
    def look(one):
        seed, (before, after) = one
        base = write(tmp_path / f"{seed}-base", before)
        return errors(seed, findings(write(tmp_path / f"{seed}-target", after), base))

    wrong = of_all(look, take(lambda seed: configurations.improve(seed, number), EACH))
    assert not wrong, wrong[:10]


def test_there_are_enough_mistakes_to_learn_from():
    assert len(configurations.MISTAKES) >= 20
    assert len({rule for rule, _ in configurations.MISTAKES}) >= 20


@pytest.mark.parametrize("number", range(len(configurations.MISTAKES)),
                         ids=[f"{rule}-{function.__name__}" for rule, function in configurations.MISTAKES])
def test_a_mistake_is_found_by_its_rule(number, tmp_path):
    def look(one):
        seed, (before, after, rule) = one
        if seed not in had:
            had[seed] = findings(write(tmp_path / f"{seed}-alone", before))
        base = write(tmp_path / f"{seed}-base", before)
        found = findings(write(tmp_path / f"{seed}-target", after), base)
        return [] if places(rule, found) - places(rule, had[seed]) else [seed]

    missed = of_all(look, take(lambda seed: configurations.spoil(seed, number), EACH))
    assert not missed, f"not found in configurations {missed}"
