"""GET /v1/openapi.json is accepted by a validator that somebody else wrote (tests/openapi, an npm package)."""
import json
import subprocess

import pytest
from support import npm


@pytest.fixture(scope="module")
def validator():
    return npm.install("openapi", "@seriousme")


def judged(folder, document):
    done = subprocess.run(["node", "validate.mjs"], cwd=folder, input=json.dumps(document), capture_output=True, text=True, timeout=50)
    assert done.stdout, done.stderr
    return json.loads(done.stdout)


@pytest.mark.timeout(150)
def test_it_is_valid_openapi_3_1(validator, make_origin, make_proxy):
    document = make_proxy(make_origin()).admin_get("/v1/openapi.json")
    said = judged(validator, document)
    assert said["valid"] and said["version"] == "3.1", said["errors"]
    document["paths"]["/v1/status"]["get"]["responses"] = []
    assert not judged(validator, document)["valid"]


def test_each_operation_has_a_name_of_its_own(make_origin, make_proxy):
    document = make_proxy(make_origin()).admin_get("/v1/openapi.json")
    operations = [operation for path in document["paths"].values() for operation in path.values()]
    names = [operation["operationId"] for operation in operations]
    assert len(names) == len(set(names))
    for operation in operations:
        described = [parameter["name"] for parameter in operation["parameters"]]
        assert len(described) == len(set(described)), operation["operationId"]
