"""Certificate, client CA and TLS of the admin listener are those of what runs: changed while callers come, and none fails."""
import http.client
import json
import threading

import pytest
from support.proxy import merge
from support.tls import Authority, admin_serial, admin_tls, client_context


@pytest.fixture
def admin(authority):
    return authority.certificate("admin", "localhost", ip="127.0.0.1")


def ask(connection, path="/healthz", token=None):
    connection.request("GET", path, headers={"Authorization": f"Bearer {token}"} if token else {})
    reply = connection.getresponse()
    return reply.status, reply.read()


@pytest.mark.slow
def test_no_caller_fails_while_the_certificate_is_renewed(make_proxy, origin, authority, admin):
    proxy = make_proxy([origin], **admin_tls(authority, admin))
    open_one = proxy.admin_connection(context=client_context(authority))
    assert ask(open_one)[0] == 200
    before = admin_serial(proxy, authority)
    wrong, served, stop = [], [], threading.Event()

    def call():
        context = client_context(authority)
        while not stop.wait(0.03):
            try:
                connection = proxy.admin_connection(context=context)
                status, _ = ask(connection)
                connection.close()
                served.append(status)
                if status != 200:
                    wrong.append(status)
            except (OSError, http.client.HTTPException) as fault:
                wrong.append(fault)

    callers = [threading.Thread(target=call) for _ in range(2)]
    for caller in callers:
        caller.start()
    try:
        for number in range(4):
            admin.replace(authority.certificate(f"new{number}", "localhost", ip="127.0.0.1", key="rsa" if number % 2 else "ec"))
            assert proxy.admin("POST", "/v1/reload").status == 200
            assert admin_serial(proxy, authority) == admin.serial() != before
    finally:
        stop.set()
        for caller in callers:
            caller.join()
    assert not wrong, wrong[:5]
    assert len(served) > 20
    assert ask(open_one)[0] == 200


def test_one_that_does_not_fit_is_refused_and_what_runs_goes_on(make_proxy, origin, authority, admin):
    proxy = make_proxy([origin], **admin_tls(authority, admin))
    before = admin_serial(proxy, authority)
    config = json.loads(json.dumps(proxy.config))
    for change, says in (({"key_file": authority.key_file}, "belongs to another certificate"),
                         ({"cert_file": "/etc/hostname"}, "not in a folder of process.file_roots"),
                         ({"client_ca_file": admin.key_file}, "there is no certificate")):
        proxy.write_config(merge(json.loads(json.dumps(config)), {"admin": {"tls": change}}))
        answer = proxy.admin("POST", "/v1/reload")
        assert answer.status == 422 and says in answer.body, answer.body
        assert admin_serial(proxy, authority) == before


def test_the_approved_copies_run_whatever_becomes_of_the_files(make_enforced, origin, authority, admin):
    proxy = make_enforced([origin], **admin_tls(authority, admin))
    new = authority.certificate("second", "localhost", ip="127.0.0.1")
    approved = new.serial()
    ann = proxy.as_("ann")
    change = ann.submit({"admin": {"tls": new.section()}})
    assert change["class"] == 3
    proxy.as_("bob").approve(change)
    proxy.as_("dan").approve(change)
    new.replace(authority.certificate("evil", "localhost", ip="127.0.0.1"))
    ann.apply(change)
    ann.confirm(change)
    assert admin_serial(proxy, authority) == approved
    proxy.kill9()
    proxy.start()
    assert admin_serial(proxy, authority) == approved


def test_tls_comes_and_goes_for_who_comes_then(make_proxy, origin, authority, admin):
    proxy = make_proxy([origin], process={"file_roots": [authority.directory]})
    clear = proxy.admin_connection()
    assert ask(clear)[0] == 200
    config = json.loads(json.dumps(proxy.config))
    secured = merge(json.loads(json.dumps(config)), {"admin": {"tls": admin.section()}})
    for _ in range(3):
        proxy.write_config(secured)
        clear.request("POST", "/v1/reload")
        reply = clear.getresponse()
        assert reply.status == 200 and reply.read()
        proxy.config = secured
        over_tls = proxy.admin_connection(context=client_context(authority))
        assert ask(over_tls)[0] == 200 and ask(clear)[0] == 200
        proxy.write_config(config)
        over_tls.request("POST", "/v1/reload")
        reply = over_tls.getresponse()
        assert reply.status == 200 and reply.read()
        assert ask(over_tls)[0] == 200  # it goes on as it began
        over_tls.close()
        proxy.config = config
        clear.close()
        clear = proxy.admin_connection()
        assert ask(clear)[0] == 200
    assert proxy.wait_event("config-published", nth=7)


def test_an_authority_that_goes_takes_its_people_along_on_open_connections(make_enforced, origin, authority, admin, tmp_path):
    (tmp_path / "other").mkdir()
    other = Authority(str(tmp_path / "other"), "other")
    two = authority.certificate("two", "two.example")
    with open(authority.cert_file, encoding="ascii") as one, open(other.cert_file, encoding="ascii") as another:
        both = one.read() + another.read()
    with open(two.cert_file, "w", encoding="ascii") as file:
        file.write(both)
    more = admin_tls(authority, admin, client_ca=authority)
    more["process"]["file_roots"].append(other.directory)
    more["config"]["people"] = {"bob": {"certificate_names": ["bob.people"]}}
    proxy = make_enforced([origin], **more)
    mine = authority.certificate("bob", "bob.people")
    his = other.certificate("bob", "bob.people")

    def connect(certificate):
        return proxy.admin_connection(context=client_context(authority, certificate))
    old = connect(mine)
    assert ask(old, "/v1/whoami")[0] == 200
    with pytest.raises(OSError):
        ask(connect(his), "/v1/whoami")
    proxy.run_change({"admin": {"tls": {"client_ca_file": two.cert_file}}}, approvers=("cat", "dan"))
    assert ask(old, "/v1/whoami")[0] == 200
    assert ask(connect(his), "/v1/whoami")[0] == 200
    proxy.run_change({"admin": {"tls": {"client_ca_file": other.cert_file}}}, approvers=("cat", "dan"))
    status, body = ask(old, "/v1/whoami")
    assert status == 401 and b"not believed" in body
    assert ask(old, "/v1/whoami", token=proxy.tokens["bob"])[0] == 200
    with pytest.raises(OSError):
        ask(connect(mine), "/v1/whoami")
    assert ask(connect(his), "/v1/whoami")[0] == 200
    change = proxy.as_("ann").post("/v1/changes?submit=true", {"title": "x", "reason": "y",
                                                               "patch": {"admin": {"tls": {"client_ca_file": authority.cert_file}}}})
    assert "T006" in change.body
