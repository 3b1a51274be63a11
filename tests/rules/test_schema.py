"""docs/conf.schema.json: valid itself, takes good documents, refuses typing errors."""
import json

import pytest
import source_tree

jsonschema = pytest.importorskip("jsonschema")

SCHEMA = json.loads(source_tree.text("docs/conf.schema.json"))
DOCUMENTS = source_tree.files(r"^conf\.d/.*\.json$")


def good(document):
    return jsonschema.Draft202012Validator(SCHEMA).is_valid(document)


def test_the_schema_is_a_schema():
    jsonschema.Draft202012Validator.check_schema(SCHEMA)


@pytest.mark.parametrize("path", DOCUMENTS)
def test_the_documents_that_come_with_it_fit(path):
    assert good(json.loads(source_tree.text(path)))


@pytest.mark.parametrize("document", [
    {"$schema": "x", "// why": "so", "process": {"workers": "auto", "// and": 1}},
    {"pools": {"p": {"servers": {"s": {"address": "10.0.0.1:80"}}, "hash_on": "header:x-user"}}},
    {"routes": {"r": {"split": {"a": 95, "b": 5}}}},
    {"people": {"ann": {"tokens": [{"id": "laptop", "hash": "sha256:00"}]}}},
])
def test_good_documents_fit(document):
    assert good(document)


@pytest.mark.parametrize("document", [
    {"pols": {}},
    {"process": {"workers": 0}},
    {"pools": {"p": {"servers": {"s": {"weight": 5}}}}},
    {"pools": {"p": {"servers": {"s": {"address": "10.0.0.1:80", "weigth": 5}}}}},
    {"pools": {"p": {"servers": {}, "slow_start": 30}}},
    {"routes": {"r": {}}},
    {"routes": {"r": {"pool": "p", "respond": {"status": 200}}}},
    {"routes": {"r": {"redirect": {"location": "/", "status": 303.5}}}},
])
def test_bad_documents_do_not(document):
    assert not good(document)
