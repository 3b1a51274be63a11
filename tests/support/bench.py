"""
One proxy and one origin for a whole table.

    bench = Bench(ok())                                # a fixture of the module; bench.stop() at its end
    bench.judge(case, corpus.run)
"""
from support.origin import Origin
from support.proxy import simple_proxy


class Bench:
    """A proxy that died is replaced, so that one row costs one failure."""

    def __init__(self, behaviour=None, speaks=Origin, **pool):
        self.origin = speaks(behaviour)
        self.pool = {"ejection": {"consecutive_failures": 0}, **pool}
        self.proxy = None

    def judge(self, case, run):
        """run(case, proxy, origin) says what is wrong, or None."""
        proxy = self._ready()
        fault = run(case, proxy, self.origin)
        if not proxy.is_running():
            fault = f"the proxy died of it:\n{proxy.stderr_text()[-3000:]}"
            proxy.discard()
            self.proxy = None
        assert fault is None, fault

    def _ready(self):
        if self.proxy is None or not self.proxy.is_running():
            self.proxy = simple_proxy(self.origin, process={"workers": 1}, pool=self.pool).start()
        return self.proxy

    def stop(self):
        self.origin.stop()
        if self.proxy is not None:
            try:
                self.proxy.stop()
            finally:
                self.proxy.discard()
