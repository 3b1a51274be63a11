"""
Fixtures of the scenario tests.  See support/README.md.

Every test has a bound (marker `timeout`, 60 s when not given), every proxy a
test starts is stopped afterwards and must have left no sanitizer report, and
what the proxies wrote is shown with a failure.
"""
import faulthandler
import os
import signal
import sys
import threading

import pytest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from support import order  # noqa: E402
from support.bounds import SCALE  # noqa: E402
from support.origin import Origin  # noqa: E402
from support.people import enforced_proxy  # noqa: E402
from support.proxy import Proxy, simple_proxy  # noqa: E402
from support.state import verify  # noqa: E402
from support.tls import Authority  # noqa: E402

DEFAULT_BOUND_S = 60


class TookTooLong(Exception):
    """The test did not end within its bound."""


def pytest_collection_modifyitems(config, items):
    if config.getoption("numprocesses", None) or hasattr(config, "workerinput"):
        order.longest_first(items)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config, log):
    return order.scheduler(config, log) if config.getvalue("dist") == "load" else None


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_call(item):
    marker = item.get_closest_marker("timeout")
    bound = (marker.args[0] if marker else DEFAULT_BOUND_S) * SCALE

    def ring(_signal, _frame):
        faulthandler.dump_traceback(all_threads=True)
        raise TookTooLong(f"{item.nodeid} did not end within {bound:g} s")

    before = signal.signal(signal.SIGALRM, ring)
    signal.setitimer(signal.ITIMER_REAL, bound)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    outcome = yield
    report = outcome.get_result()
    if report.when == "call" and report.failed:
        for started in getattr(item, "proxies", []):
            report.sections.append((f"stderr of the proxy on {started.address}", started.stderr_text()[-6000:]))


@pytest.fixture
def make_origin():
    """make_origin(behaviour, **options) starts an Origin (or `speaks`, another class) that ends with the test."""
    started = []

    def make(*args, speaks=Origin, **options):
        origin = speaks(*args, **options)
        started.append(origin)
        return origin

    yield make
    for origin in started:
        origin.stop()


@pytest.fixture
def origin(make_origin):
    """One origin that answers 200 with a small body."""
    return make_origin()


def _keep(request, started, proxy):
    started.append(proxy)
    request.node.proxies = started
    return proxy


@pytest.fixture
def hold():
    """An event that origins wait for; it is set when the test has ended."""
    event = threading.Event()
    yield event
    event.set()


@pytest.fixture
def authority(tmp_path):
    """Signs certificates; its folder may be a file root."""
    return Authority(str(tmp_path))


@pytest.fixture
def start_proxy(request):
    """start_proxy(config) runs a whole configuration (a dict of sections)."""
    started = []
    yield lambda config, **options: _keep(request, started, Proxy(config, **options).start())
    _stop_all(started)


@pytest.fixture
def make_proxy(request):
    """make_proxy(origins, **overrides): one listener `web`, one pool `app`, one route `everything`."""
    started = []
    yield lambda origins, **options: _keep(request, started, simple_proxy(origins, **options).start())
    _stop_all(started)


@pytest.fixture
def make_enforced(request):
    """make_enforced(origins, roles=None, policy=None, **overrides): make_proxy in mode enforced, with people."""
    started = []
    yield lambda origins, **options: _keep(request, started, enforced_proxy(origins, **options).start())
    _stop_all(started, lambda proxy: proxy.is_damaged or verify(proxy.state_dir))


def _stop_all(proxies, look_at=lambda proxy: True):
    """`look_at` is what the state directory is held to afterwards: problems, or none."""
    faults = []
    for proxy in proxies:
        try:
            proxy.stop()
            problems = look_at(proxy)
            assert problems in (True, []), "what it left does not verify:\n" + "\n".join(problems)
        except AssertionError as fault:
            faults.append(str(fault))
        finally:
            proxy.discard()
    assert not faults, "\n".join(faults)
