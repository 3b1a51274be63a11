"""What is only half written does not run: a reload waits until the documents rest, and needs a listener."""
import os
import threading
import time

from support.client import get


def test_documents_that_are_being_written(make_proxy, origin):
    """Signals come while files go away and come back, one after the other: no request ever meets a hole."""
    proxy = make_proxy(origin)
    directory = proxy.conf_dir
    files = {}
    for name in sorted(os.listdir(directory)):
        with open(os.path.join(directory, name), "rb") as file:
            files[name] = file.read()
    over = threading.Event()

    def rewrite():
        for _ in range(20):
            for name in files:
                os.remove(os.path.join(directory, name))
            proxy.signal(1)
            for name, content in files.items():
                with open(os.path.join(directory, name), "wb") as file:
                    file.write(content)
                time.sleep(0.002)  # slower than a file takes, quicker than anybody pauses
            proxy.signal(1)
        over.set()

    writer = threading.Thread(target=rewrite)
    writer.start()
    while not over.is_set():
        assert get(proxy.address).status == 200
    writer.join()
    assert proxy.reload().status == 200
    assert get(proxy.address).status == 200


def test_nothing_to_serve(make_proxy, origin):
    proxy = make_proxy(origin)
    with open(os.path.join(proxy.conf_dir, "10-listeners.json"), "w") as file:
        file.write('{"listeners": {}}')
    answer = proxy.admin("POST", "/v1/reload")
    assert answer.status == 422
    assert "no listener" in answer.json()["errors"][0]["message"]
    assert get(proxy.address).status == 200
