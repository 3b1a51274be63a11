"""
The audit chain, read and verified anew: by the rule in docs, not by the program under test.

    lines = audit_lines(proxy.as_("dan"))       # raw, oldest first, all pages
    records = verified(lines)                   # as dicts; AssertionError names the first that is wrong
"""
import hashlib
import json
import re

SEALED = re.compile(r'^(.*),"h":"([0-9a-f]{64})"\}$')


def audit_lines(caller, from_seq=0, limit=1000):
    lines = []
    while True:
        answer = caller.get(f"/v1/audit?from_seq={from_seq + len(lines)}&limit={limit}")
        assert answer.status == 200, answer.body
        inner = answer.body.strip()[len('{"records":['):-len("]}")]
        lines += inner.split(",\n") if inner else []
        if "Link" not in answer.headers:
            return lines


def verified(lines):
    records, before = [], None
    for line in lines:
        found = SEALED.match(line)
        assert found, f"not a sealed record: {line[:200]}"
        record = json.loads(line)
        prev = bytes.fromhex(record["prev"])
        assert before is None or prev == before, f"record {record['seq']} does not follow the one before it"
        assert not records or record["seq"] == records[-1]["seq"] + 1, f"record {record['seq']} stands after {records[-1]['seq']}"
        before = hashlib.sha256(b"\0" + prev + record["seq"].to_bytes(8, "big") + (found[1] + "}").encode()).digest()
        assert before.hex() == found[2], f"record {record['seq']} was changed"
        records.append(record)
    return records
