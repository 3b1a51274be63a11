"""After our own answer the rest of the upload is read and dropped, also what came before the server had failed."""
from support.client import Client, build


def test_the_connection_goes_on(make_proxy):
    proxy = make_proxy(["127.0.0.1:1"], pool={"retry": {"attempts": 0}})
    with Client(proxy.address) as client:
        for body in (b"some", b"x" * 50000):
            assert client.request("POST", "/", body=body).status == 502
        client.send(build("POST", "/", [("Content-Length", "8")]) + b"half")
        assert client.response("POST").status == 502
        client.send(b"half")
        assert client.request("POST", "/", body=b"last").status == 502
    proxy.wait_for(lambda: proxy.metrics().value("twokey_listener_responses_total", code_class="5xx") == 4)
