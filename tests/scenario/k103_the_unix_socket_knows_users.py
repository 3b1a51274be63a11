"""Over the Unix socket the peer's user is known: people.X.uids need no token there."""
import os


def test_a_user_is_a_person(make_enforced, origin):
    proxy = make_enforced(origin, config={"people": {"dan": {"uids": [os.getuid()]}}})
    me = proxy.nobody(on_socket=True).get("/v1/whoami").json()
    assert (me["person"], me["auth"]) == ("dan", "uid")
    assert me["principal"] == f"uid:{os.getuid()}" and me["source"] == f"unix:uid={os.getuid()}"
    assert proxy.nobody().get("/v1/whoami").status == 401


def test_a_token_says_more_than_the_user(make_enforced, origin):
    proxy = make_enforced(origin, config={"people": {"dan": {"uids": [os.getuid()]}}})
    assert proxy.as_("bob", on_socket=True).get("/v1/whoami").json()["person"] == "bob"
    assert proxy.with_token("tk_nobody", on_socket=True).get("/v1/whoami").status == 401


def test_a_user_that_is_nobody_needs_a_token(make_enforced, origin):
    proxy = make_enforced(origin)
    assert proxy.nobody(on_socket=True).get("/v1/status").status == 401
    assert proxy.as_("bob", on_socket=True).get("/v1/whoami").json()["source"] == f"unix:uid={os.getuid()}"


def test_the_socket_is_there_without_being_asked_for(make_proxy, origin):
    proxy = make_proxy(origin)
    assert os.stat(proxy.socket_path).st_mode & 0o777 == 0o600
