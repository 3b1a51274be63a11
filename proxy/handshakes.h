/*
 * handshakes - how many full TLS handshakes a second a listener, or one client of it, may begin.
 *
 * A handshake costs us a thousand times what it costs who asks for it.  Those that take up an
 * earlier session are not counted: they need no signature.
 *
 * Owner    nobody: the words are in a table of proxy/limits.      Threads  the worker's
 */
#ifndef PROXY_HANDSHAKES_H
#define PROXY_HANDSHAKES_H

#include <stdbool.h>
#include <stdint.h>

struct snapshot_listener;

/* `address` is the client's, NULL for one of a Unix socket.  False: one too many. */
bool handshakes_admit(const struct snapshot_listener *listener, const uint8_t address[16],
                      uint64_t now_ns);

#endif
