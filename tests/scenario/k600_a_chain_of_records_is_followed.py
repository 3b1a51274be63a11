"""`twokey audit verify` follows a chain that was written by the documented rule alone, and says which record is wrong."""
import hashlib
import json
import subprocess

import pytest

from support.proxy import binary

GENESIS = hashlib.sha256(b"genesis").digest()


def sealed(seq, before, **members):
    """A line, and its hash; the rule of docs/audit.md."""
    record = {"seq": seq, "t": "2026-11-22T10:41:40.123Z", "boot": "b", "mono_ns": 1, "actor": {"person": "ann"},
              "event": "change.edited", "outcome": "ok", **members, "prev": before.hex()}
    text = json.dumps(record, separators=(",", ":"))
    hashed = hashlib.sha256(b"\0" + before + seq.to_bytes(8, "big") + text.encode()).digest()
    return text[:-1] + ',"h":"%s"}\n' % hashed.hex(), hashed


def chain(count):
    lines, heads, before = [], [], GENESIS
    for seq in range(count):
        line, before = sealed(seq, before)
        lines.append(line)
        heads.append("%d:%s" % (seq, before.hex()))
    return lines, heads


@pytest.fixture
def verify(tmp_path):
    def run(*files, head=None):
        names = []
        for number, lines in enumerate(files):
            name = tmp_path / ("%d.jsonl" % number)
            name.write_text("".join(lines))
            names.append(str(name))
        done = subprocess.run([binary(), "audit", "verify", *names, *(["--head", head] if head else [])],
                              capture_output=True, text=True, timeout=60)
        assert not done.stderr, done.stderr
        return done.returncode, done.stdout
    return run


def test_a_chain_that_is_whole(verify):
    lines, heads = chain(5)
    assert verify(lines) == (0, verify(lines)[1])
    code, said = verify(lines, head=heads[4])
    assert code == 0 and "records 0 to 4" in said and heads[4] in said
    assert verify(lines, head=heads[2])[0] == 0                     # a head of some time ago
    assert verify(lines, head=heads[2].split(":")[1])[0] == 0       # by its hash alone


def test_rotated_files_are_one_chain(verify):
    lines, heads = chain(9)
    assert verify(lines[:3], lines[3:6], lines[6:], head=heads[8])[0] == 0
    code, said = verify(lines[3:6], lines[6:])
    assert code == 0 and "records 3 to 8" in said
    assert verify(lines[:5], lines[3:])[0] == 0                     # a crash at a rotation writes some twice
    code, said = verify(lines[:3], lines[6:])
    assert code == 1 and "1.jsonl:1: records from 3 on are missing: record 6 comes in their place" in said
    assert verify(lines[3:], lines[:3])[0] == 1


@pytest.mark.parametrize("damage, said", [
    (lambda lines: lines[:2] + [lines[2].replace("ann", "bob")] + lines[3:], "0.jsonl:3: record 2 was changed"),
    (lambda lines: lines[:2] + lines[3:], "0.jsonl:3: record 2 is missing: record 3 comes in its place"),
    (lambda lines: lines[:3] + lines[2:], "0.jsonl:4: record 2 was inserted, or comes a second time"),
    (lambda lines: lines[:2] + ["{}\n"] + lines[3:], "0.jsonl:3: record 2 is damaged: this is not a record: {}"),
    (lambda lines: lines[:2] + [sealed(2, GENESIS)[0]] + lines[3:], "record 2 does not continue the record 1"),
    (lambda lines: lines[:-1] + [lines[-1][:-40]], "0.jsonl:5: record 4 is damaged"),
    (lambda lines: lines[:-1] + [lines[-1].rstrip("\n")], "the newline behind the last record is missing"),
    (lambda lines: [], "there is no record in it"),
])
def test_what_is_wrong_is_named(verify, damage, said):
    lines, _ = chain(5)
    code, output = verify(damage(lines))
    assert code == 1 and said in output, output


def test_one_wrong_record_is_one_problem(verify):
    lines, _ = chain(6)
    code, said = verify(lines[:2] + [lines[2].replace("ann", "bob")] + lines[3:])
    assert code == 1 and said.count("\n") == 2 and "1 wrong, 5 records in order" in said


def test_a_cut_end_is_shown_by_a_head_alone(verify):
    lines, heads = chain(6)
    assert verify(lines[:4])[0] == 0
    code, said = verify(lines[:4], head=heads[5])
    assert code == 1 and "the chain ends at record 3, and the head is record 5: the end was cut off" in said
    code, said = verify(lines[:4], head=heads[5].split(":")[1])
    assert code == 1 and "no record has the hash of the head" in said
    code, said = verify(lines[2:], head=heads[1])
    assert code == 1 and "begins at record 2" in said


def test_a_chain_that_was_written_anew(verify):
    lines, heads = chain(3)
    other, before = [], GENESIS
    for seq in range(3):
        line, before = sealed(seq, before, data={"other": seq})
        other.append(line)
    assert verify(other)[0] == 0
    code, said = verify(other, head=heads[2])
    assert code == 1 and "has not the hash of the head: the chain was written anew" in said


def test_exit_codes_of_what_cannot_be_read(tmp_path):
    def code(*arguments):
        return subprocess.run([binary(), "audit", *arguments], capture_output=True, timeout=60).returncode
    assert code("verify", str(tmp_path / "none")) == 2
    assert code("verify", str(tmp_path)) == 2        # no state directory
    assert code("verify") == 2
    assert code("something") == 2
    assert code("verify", "--head", "nonsense", str(tmp_path)) == 2
    assert code("--help") == 0
