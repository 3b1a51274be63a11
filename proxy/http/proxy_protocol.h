/*
 * proxy_protocol - the PROXY protocol in front of a connection, versions 1 and 2, read.
 *
 * Source   the PROXY protocol, versions 1 & 2 (HAProxy, 2020).      Threads  any; pure
 */
#ifndef PROXY_HTTP_PROXY_PROTOCOL_H
#define PROXY_HTTP_PROXY_PROTOCOL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/slice.h"

enum { PROXY_PROTOCOL_MAX_BYTES = 16 + 4096 };

enum proxy_protocol_result {
    PROXY_PROTOCOL_INCOMPLETE,
    PROXY_PROTOCOL_DONE,
    PROXY_PROTOCOL_MALFORMED,
};

struct proxy_protocol_source {
    bool is_known;       /* false: LOCAL or UNKNOWN, the connection's own address holds */
    uint8_t address[16]; /* IPv4-mapped */
    uint16_t port;
};

/* Reads the header at the front of `bytes`; `*used_out` is its length when done. */
enum proxy_protocol_result proxy_protocol_read(struct slice bytes,
                                               struct proxy_protocol_source *source_out,
                                               size_t *used_out);

#endif
