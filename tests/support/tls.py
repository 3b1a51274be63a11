"""
Certificates made by openssl, and a client that speaks TLS.

    shop = authority.certificate("shop", "shop.example", "*.shop.example")   # fixture `authority`
    proxy = make_proxy([origin], **tls_listener(authority, shop))
    with TlsClient(proxy.address, name="shop.example", ca=authority) as client: ...
"""
import ctypes
import os
import select
import socket
import ssl
import subprocess

import pytest

from support import wire
from support.client import Client


def openssl(*arguments, stdin=None):
    return subprocess.run(["openssl", *arguments], input=stdin, check=True, capture_output=True).stdout


class Certificate:
    def __init__(self, directory, name):
        self.cert_file = os.path.join(directory, name + ".pem")
        self.key_file = os.path.join(directory, name + ".key")

    def section(self):
        return {"cert_file": self.cert_file, "key_file": self.key_file}

    def serial(self):
        return openssl("x509", "-in", self.cert_file, "-noout", "-serial").decode().strip().partition("=")[2]

    def replace(self, other):
        """Becomes `other`, as one who renews it would do it: the key first."""
        for mine, theirs in ((self.key_file, other.key_file), (self.cert_file, other.cert_file)):
            with open(theirs, "rb") as file:
                content = file.read()
            with open(mine + ".new", "wb") as file:
                file.write(content)
            os.rename(mine + ".new", mine)


class Authority(Certificate):
    def __init__(self, directory, name="ca"):
        super().__init__(directory, name)
        self.directory = directory
        openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "30",
                "-subj", f"/CN={name}", "-keyout", self.key_file, "-out", self.cert_file)

    def certificate(self, name, *hosts, key="ec", days=20, email=None, ip=None):
        made = Certificate(self.directory, name)
        names = [f"DNS:{host}" for host in hosts] + ([f"email:{email}"] if email else []) + ([f"IP:{ip}"] if ip else [])
        kind = ["rsa:2048"] if key == "rsa" else ["ec", "-pkeyopt", "ec_paramgen_curve:P-256"]
        request = openssl("req", "-new", "-newkey", *kind, "-nodes", "-subj", f"/CN={name}", "-keyout", made.key_file,
                          "-addext", "subjectAltName=" + ",".join(names))
        openssl("x509", "-req", "-days", str(days), "-CA", self.cert_file, "-CAkey", self.key_file, "-copy_extensions", "copy",
                "-out", made.cert_file, stdin=request)
        return made


class Responder:
    """What an authority says of certificates (OCSP), as a file."""

    def __init__(self, authority):
        self.authority = authority
        self.index = os.path.join(authority.directory, "index.txt")

    def answer(self, certificate, path, revoked=False, minutes=60, signer=None):
        """Writes the response to `path`, as one who renews it would; `certificate`'s file gets its issuer."""
        serial, signer = certificate.serial(), signer or self.authority
        with open(self.index, "w") as index:
            index.write("\t".join(["R" if revoked else "V", "491231235959Z", "261101000000Z" if revoked else "", serial,
                                   "unknown", "/CN=any"]) + "\n")
        request = path + ".request"
        openssl("ocsp", "-issuer", self.authority.cert_file, "-cert", certificate.cert_file, "-no_nonce", "-reqout", request)
        openssl("ocsp", "-index", self.index, "-CA", self.authority.cert_file, "-rsigner", signer.cert_file, "-rkey",
                signer.key_file, "-reqin", request, "-respout", path + ".new", "-nmin", str(minutes))
        os.rename(path + ".new", path)
        return path


def stapled(address, name):
    """What a client that asks is told, as openssl prints it; None: nothing."""
    said = subprocess.run(["openssl", "s_client", "-connect", address if isinstance(address, str) else "%s:%s" % address, "-servername", name, "-status"],
                          input=b"", check=False, capture_output=True, timeout=30).stdout.decode()
    return None if "OCSP response: no response sent" in said else said.partition("OCSP response:")[2].partition("---\n")[0]


def tls_listener(directory, *certificates, **more):
    """What make_proxy takes: the listener speaks TLS with these, named c1, c2, …"""
    names = [f"c{i}" for i in range(1, len(certificates) + 1)]
    return {"listener": {"tls": {"certificates": names, **more}},
            "process": {"file_roots": [directory]},
            "config": {"certificates": {name: one.section() for name, one in zip(names, certificates)}}}


def admin_tls(authority, certificate, client_ca=None, listen=None):
    """What make_proxy and make_enforced take: the admin listener speaks TLS, and asks for what `client_ca` has signed."""
    section = {"tls": certificate.section()}
    if client_ca:
        section["tls"]["client_ca_file"] = client_ca.cert_file
    if listen:
        section["listen"] = listen
    return {"process": {"file_roots": [authority.directory]}, "config": {"admin": section}}


def admin_serial(proxy, ca):
    """Of the certificate that the admin listener shows."""
    connection = proxy.admin_connection(context=client_context(ca))
    connection.connect()
    try:
        return _serial_shown(connection.sock)
    finally:
        connection.close()


def _serial_shown(sock):
    shown = ssl.DER_cert_to_PEM_cert(sock.getpeercert(binary_form=True))
    return openssl("x509", "-noout", "-serial", stdin=shown.encode()).decode().strip().partition("=")[2]


def client_context(ca, certificate=None, version=None):
    """For proxy.admin_connection(context=…), and proxy.admin_context."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(ca.cert_file)
    if certificate:
        context.load_cert_chain(certificate.cert_file, certificate.key_file)
    if version:
        context.minimum_version = context.maximum_version = version
    return context


def server_context(certificate, client_ca=None, version=None):
    """For make_origin(…, tls=…)."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate.cert_file, certificate.key_file)
    context.names = []  # that were asked for
    context.sni_callback = lambda _sock, name, _context: context.names.append(name)
    if client_ca:
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_verify_locations(client_ca.cert_file)
    if version:
        context.minimum_version = context.maximum_version = version
    return context


def tls_pool(authority, **more):
    """What make_proxy takes: TLS to servers whose certificates the authority has signed."""
    return {"pool": {"tls": {"ca_file": authority.cert_file, **more}}, "process": {"file_roots": [authority.directory]}}


class TlsClient(Client):
    def __init__(self, address, name=None, ca=None, version=None, session=None, certificate=None, context=None, timeout=15.0, before=b""):
        if context is None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            context.check_hostname = name is not None and ca is not None
            context.verify_mode = ssl.CERT_REQUIRED if ca else ssl.CERT_NONE
            if ca:
                context.load_verify_locations(ca.cert_file)
            if certificate:
                context.load_cert_chain(certificate.cert_file, certificate.key_file)
            if version:
                context.minimum_version = context.maximum_version = version
        self.context = context
        plain = wire.connect(address, timeout)
        try:
            plain.sendall(before)
            self.sock = context.wrap_socket(plain, server_hostname=name, session=session)
        except BaseException:
            plain.close()
            raise
        self.stream = wire.Stream(self.sock)

    def peer_serial(self):
        """Of the certificate that was shown."""
        return _serial_shown(self.sock)


class RawTls:
    """OpenSSL itself, for what Python's ssl cannot say: renew_keys().  A blocking socket with little room to receive."""

    ssl = ctypes.CDLL("libssl.so.3")
    for each in ("SSL_CTX_new", "TLS_client_method", "SSL_new"):
        getattr(ssl, each).restype = ctypes.c_void_p

    def __init__(self, address, alpn=b""):
        host, _, port = address.rpartition(":")
        self.sock = socket.socket()
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        self.sock.connect((host, int(port)))
        self.context = ctypes.c_void_p(self.ssl.SSL_CTX_new(ctypes.c_void_p(self.ssl.TLS_client_method())))
        if alpn:
            self.ssl.SSL_CTX_set_alpn_protos(self.context, bytes([len(alpn)]) + alpn, len(alpn) + 1)
        self.connection = ctypes.c_void_p(self.ssl.SSL_new(self.context))
        self.ssl.SSL_set_fd(self.connection, self.sock.fileno())
        assert self.ssl.SSL_connect(self.connection) == 1

    def send(self, octets):
        """False: the peer is gone, or takes nothing."""
        return self._may_write() and self.ssl.SSL_write(self.connection, octets, len(octets)) == len(octets)

    def renew_keys(self):
        """And asks the peer to do so; nothing is read."""
        return self._may_write() and self.ssl.SSL_key_update(self.connection, 1) == 1 and self.ssl.SSL_do_handshake(self.connection) == 1

    def _may_write(self):
        return bool(select.select([], [self.sock], [], 10)[1])

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.ssl.SSL_free(self.connection)
        self.ssl.SSL_CTX_free(self.context)
        self.sock.close()


class TlsByHand:
    """TLS over `plain` (which may be connected later) whose records are sent when it is said: until then they wait in `out`."""

    def __init__(self, context, name=None, plain=None):
        self.plain = plain
        self.into, self.out = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.tls = context.wrap_bio(self.into, self.out, server_hostname=name)

    def hello(self):
        """The first bytes of a handshake, for the caller to send."""
        with pytest.raises(ssl.SSLWantReadError):
            self.tls.do_handshake()
        return self.out.read()

    def shake_hands(self):
        """What ends it on our side waits in `out`."""
        self.pump(self.tls.do_handshake)

    def pump(self, step):
        """step(), as soon as the other side has sent what it needs."""
        while True:
            try:
                return step()
            except ssl.SSLWantReadError:
                self.flush()
                data = self.plain.recv(65536)
                assert data, "closed"
                self.into.write(data)

    def flush(self):
        self.plain.sendall(self.out.read())

    def send(self, data):
        self.tls.write(data)
        self.flush()

    def say_end(self):
        """close_notify, to which nothing has come yet."""
        with pytest.raises(ssl.SSLWantReadError):
            self.tls.unwrap()
        self.flush()

    def rest(self):
        """The records that still come, as they are."""
        got = bytearray()
        while part := self.plain.recv(65536):
            got += part
        return bytes(got)


def refused(address, **options):
    """Why the handshake, or the first thing after it, failed."""
    try:
        with TlsClient(address, **options) as client:
            client.request()
    except (ssl.SSLError, wire.Ended, ConnectionResetError, socket.timeout, BrokenPipeError) as error:
        return str(error)
    raise AssertionError("it was let in")
