"""The proxy starts, says so, and ends with 0 on SIGTERM."""


def test_it_starts_and_stops(make_proxy, origin):
    proxy = make_proxy(origin)
    proxy.stop()
    assert not proxy.is_running()


def test_it_logs_start_and_stop(make_proxy, origin):
    proxy = make_proxy(origin)
    proxy.wait_event("started")
    proxy.wait_event("listening", listener="web")
    proxy.stop()
    assert proxy.log_events("stopping") and proxy.log_events("stopped")


def test_a_second_process_on_the_same_state_directory_is_refused(make_proxy, origin):
    import subprocess
    from support.proxy import binary
    proxy = make_proxy(origin)
    second = subprocess.run([binary(), "serve", "--config", proxy.conf_dir, "--state", proxy.state_dir],
                            capture_output=True, text=True, timeout=30)
    assert second.returncode != 0 and proxy.state_dir in second.stderr
    assert proxy.is_running() and proxy.admin("GET", "/healthz").status == 200
