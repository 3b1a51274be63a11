"""
A gRPC service and a caller of it, by Debian's python3-grpcio: gRPC's core, which most languages build on.

    server = Greeter("s1")                       # .address, .wait("slow begun"), .leave(), .stop()
    with Caller(proxy.address) as caller:        # Caller(address, ca=authority, name="shop.example") over TLS
        told = caller.hello(b"ann")

Messages are bytes as they are: to see calls pass needs no protobuf.
"""
import queue
from concurrent.futures import ThreadPoolExecutor

import pytest

grpc = pytest.importorskip("grpc", reason="python3-grpcio is not installed")
StatusCode = grpc.StatusCode
RpcError = grpc.RpcError

SERVICE = "greet.Greeter"
UNLIMITED = [("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1)]
SERVING, NOT_SERVING = b"\x08\x01", b"\x08\x02"  # grpc.health.v1.HealthCheckResponse


class Greeter:
    """What happens is told by wait(); `health` is what its health service says, None: it does not know who is asked for."""

    def __init__(self, name="s1", credentials=None):
        self.name, self.health = name, SERVING
        self.happened = queue.Queue()
        self.server = grpc.server(ThreadPoolExecutor(16), options=[*UNLIMITED, ("grpc.so_reuseport", 0)])
        methods = {"Hello": grpc.unary_unary_rpc_method_handler(self._hello), "Slow": grpc.unary_unary_rpc_method_handler(self._slow),
                   "Fail": grpc.unary_unary_rpc_method_handler(self._fail), "Count": grpc.unary_stream_rpc_method_handler(self._count),
                   "Gather": grpc.stream_unary_rpc_method_handler(self._gather), "Chat": grpc.stream_stream_rpc_method_handler(self._chat)}
        self.server.add_generic_rpc_handlers((
            grpc.method_handlers_generic_handler(SERVICE, methods),
            grpc.method_handlers_generic_handler("grpc.health.v1.Health", {"Check": grpc.unary_unary_rpc_method_handler(self._check)})))
        add = self.server.add_insecure_port if credentials is None else lambda where: self.server.add_secure_port(where, credentials)
        self.address = f"127.0.0.1:{add('127.0.0.1:0')}"
        self.server.start()

    def wait(self, what, timeout=30):
        while self.happened.get(timeout=timeout) != what:
            pass

    def leave(self):
        """Says GOAWAY and takes no connection any more; gives an event that is set when the last call has ended."""
        return self.server.stop(30)

    def stop(self):
        self.server.stop(0).wait(10)

    # -- the service

    def _hello(self, message, context):
        context.send_initial_metadata((("x-begun", self.name),))
        context.set_trailing_metadata((("x-server", self.name), ("x-heard-bin", dict(context.invocation_metadata()).get("x-said-bin", b""))))
        return b"hello " + message

    def _slow(self, message, context):
        """Until the caller has had enough."""
        ended = queue.Queue()
        context.add_callback(lambda: ended.put(None))
        self.happened.put("slow begun, deadline " + ("set" if context.time_remaining() < 1e6 else "none"))
        ended.get(timeout=50)
        self.happened.put("slow ended")
        return message

    def _fail(self, message, context):
        context.abort(StatusCode.FAILED_PRECONDITION, message.decode())

    def _count(self, message, context):
        count, size = message.split()
        for number in range(1, int(count) + 1):
            yield b"%d" % number + b" " * int(size)

    def _gather(self, messages, context):
        count = octets = 0
        for message in messages:
            count, octets = count + 1, octets + len(message)
        return b"%d messages, %d bytes" % (count, octets)

    def _chat(self, messages, context):
        for message in messages:
            yield self.name.encode() + b" heard " + message

    def _check(self, message, context):
        self.happened.put("checked " + message[2:].decode())
        if self.health is None:
            context.abort(StatusCode.NOT_FOUND, "no such service")
        return self.health


class Caller:
    def __init__(self, address, ca=None, name=None, compression=None):
        options = [*UNLIMITED, ("grpc.enable_http_proxy", 0)]
        if ca is None:
            self.channel = grpc.insecure_channel(address, options, compression)
        else:
            with open(ca.cert_file, "rb") as file:
                credentials = grpc.ssl_channel_credentials(file.read())
            self.channel = grpc.secure_channel(address, credentials, [*options, ("grpc.ssl_target_name_override", name)], compression)
        self.hello = self.channel.unary_unary(f"/{SERVICE}/Hello")
        self.slow = self.channel.unary_unary(f"/{SERVICE}/Slow")
        self.fail = self.channel.unary_unary(f"/{SERVICE}/Fail")
        self.count = self.channel.unary_stream(f"/{SERVICE}/Count")
        self.gather = self.channel.stream_unary(f"/{SERVICE}/Gather")
        self.chat = self.channel.stream_stream(f"/{SERVICE}/Chat")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.channel.close()


def server_credentials(certificate):
    pair = []
    for path in (certificate.key_file, certificate.cert_file):
        with open(path, "rb") as file:
            pair.append(file.read())
    return grpc.ssl_server_credentials([tuple(pair)])
