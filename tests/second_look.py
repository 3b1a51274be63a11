"""
second_look FIRST.xml             names the tests that failed, as pytest takes them
second_look --late FIRST.xml      only those that lateness may explain: no sanitizer and no panic has spoken
second_look --names FIRST.xml     names them as people read them; nothing where there is no such file
second_look FIRST.xml SECOND.xml  takes back the failures of FIRST that SECOND, the same tests one at a time, has not

Scenarios run many at once, so that a busy machine may be what made one late.  What fails by itself as well has
failed; what does not is named, so that nobody overlooks a test that is unsure.
"""
import os
import sys
import xml.etree.ElementTree as xml

FAULTS = ("failure", "error")
OWN_FAULT = "the proxy reported a fault of its own"  # as support/proxy.py says it


def name_of(case):
    return f"{case.get('classname')}::{case.get('name')}"


def faults_of(case):
    return [child for child in case if child.tag in FAULTS]


def is_own_fault(case):
    return any(OWN_FAULT in (child.get("message") or "") + (child.text or "") for child in faults_of(case))


def name_failed(path, only_late=False):
    cases = [case for case in xml.parse(path).iter("testcase") if faults_of(case)]
    own = {name_of(case) for case in cases if is_own_fault(case)}
    for case in cases:
        if not (only_late and name_of(case) in own):
            print("tests/%s.py::%s" % (case.get("classname").replace(".", "/"), case.get("name")))


def tell_names(path):
    if os.path.exists(path):
        print("".join(name_of(case) + "\n" for case in xml.parse(path).iter("testcase") if faults_of(case)), end="")


def take_back(first_path, second_path):
    first = xml.parse(first_path)
    passed = {name_of(case) for case in xml.parse(second_path).iter("testcase") if not faults_of(case)}
    failed = {name_of(case) for case in xml.parse(second_path).iter("testcase") if faults_of(case)}
    for case in first.iter("testcase"):
        if faults_of(case) and name_of(case) in passed - failed:
            for child in faults_of(case):
                case.remove(child)
            print("   failed among others, passed by itself:", name_of(case))
    first.write(first_path)


if __name__ == "__main__":
    if sys.argv[1] == "--late":
        name_failed(sys.argv[2], only_late=True)
    elif sys.argv[1] == "--names":
        tell_names(sys.argv[2])
    else:
        (name_failed if len(sys.argv) == 2 else take_back)(*sys.argv[1:])
