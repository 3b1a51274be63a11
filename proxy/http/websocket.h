/*
 * websocket - the handshake of a WebSocket over HTTP/1, where the client's side has none: HTTP/2.
 *
 * Source   RFC 6455 §4.1, §4.2.2; RFC 8441 §5.      Threads  any; pure
 */
#ifndef PROXY_HTTP_WEBSOCKET_H
#define PROXY_HTTP_WEBSOCKET_H

#include <stdbool.h>
#include <stdint.h>

#include "base/slice.h"

enum { WEBSOCKET_KEY = 24 };

/* Sec-WebSocket-Key: 16 bytes in base64, with a NUL. */
void websocket_make_key(const uint64_t random[2], char key_out[WEBSOCKET_KEY + 1]);
/* Whether that Sec-WebSocket-Accept answers the key. */
bool websocket_is_accepted(struct slice key, struct slice accept);

#endif
