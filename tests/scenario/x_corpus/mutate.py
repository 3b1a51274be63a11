"""Small damage to raw bytes, the same for the same seed."""
SPICE = [b"\r", b"\n", b"\r\n", b"\r\n\r\n", b"\0", b" ", b"\t", b":", b";", b",", b"\x0b", b"\x7f", b"\xff", b"0", b"5", b"f", b"-", b"+",
         b"0x", b"chunked", b"\r\n ", b"Content-Length: 3\r\n", b"Transfer-Encoding: chunked\r\n", b"Connection: close\r\n", b"HTTP/1.0", b"%00",
         b"/../", b"#", b"Host: b\r\n", b"0\r\n\r\n", b"1\r\nx\r\n", b"Upgrade: websocket\r\nConnection: upgrade\r\n", b"Expect: 100-continue\r\n"]


def _somewhere(random, raw):
    """Line ends and colons are where it hurts."""
    if random.random() < 0.5:
        places = [i for i, byte in enumerate(raw) if byte in b"\r\n: ;,"]
        if places:
            return random.choice(places)
    return random.randrange(len(raw) + 1)


def mutate(random, raw, others):
    for _ in range(random.choice((1, 1, 1, 2, 3))):
        at = _somewhere(random, raw)
        kind = random.randrange(7)
        if kind == 0:
            raw = raw[:at] + random.choice(SPICE) + raw[at:]
        elif kind == 1:
            raw = raw[:at] + raw[at + random.choice((1, 1, 2, 5)):]
        elif kind == 2:
            raw = raw[:at] + bytes([random.randrange(256)]) + raw[at + 1:]
        elif kind == 3:  # a line again, somewhere else
            lines = raw.split(b"\r\n")
            lines.insert(random.randrange(len(lines) + 1), random.choice(lines))
            raw = b"\r\n".join(lines)
        elif kind == 4:  # two lines change places
            lines = raw.split(b"\r\n")
            i, j = random.randrange(len(lines)), random.randrange(len(lines))
            lines[i], lines[j] = lines[j], lines[i]
            raw = b"\r\n".join(lines)
        elif kind == 5:  # the end of another one
            other = random.choice(others)
            raw = raw[:at] + other[random.randrange(len(other) + 1):]
        else:
            raw = raw[:at] + raw[at:at + 1] * random.choice((2, 3, 20)) + raw[at + 1:]
    return raw
