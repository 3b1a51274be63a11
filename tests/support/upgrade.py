"""An Upgrade to a protocol of no name, and the tunnel that comes of it."""
from support.client import build
from support.origin import response

UPGRADE = [("Connection", "Upgrade"), ("Upgrade", "test")]
ASK = build("GET", "/", UPGRADE)
SWITCH = response(101, [("Connection", "Upgrade"), ("Upgrade", "test")])


def opened(client):
    """The client, whose connection is a tunnel now."""
    client.send(ASK)
    answer = client.response()
    assert answer.status == 101 and answer.header("upgrade") == "test"
    assert answer.header("connection").lower() == "upgrade"
    return client
