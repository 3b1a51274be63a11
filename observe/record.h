/*
 * record - one finished request, fixed size: what a worker tells the observer.
 *
 * Durations are microseconds since the first byte of the request's head was read.
 *
 * Owner    the ring's cell.  Threads  written by one worker, then read by the observer.
 */
#ifndef OBSERVE_RECORD_H
#define OBSERVE_RECORD_H

#include <stdint.h>
#include <string.h>

#include "base/slice.h"

enum record_text {
    RECORD_METHOD,
    RECORD_HOST,
    RECORD_PATH, /* with query, as the client sent it */
    RECORD_USER_AGENT,
    RECORD_REFERER,
    RECORD_REQUEST_ID,
    RECORD_LISTENER,
    RECORD_ROUTE,
    RECORD_POOL,
    RECORD_SERVER,
    RECORD_SERVER_ADDRESS,
    RECORD_SERVER_TLS, /* why a handshake with a server failed */
    /* Of the client's connection; all empty: clear text. */
    RECORD_TLS_VERSION,
    RECORD_TLS_CIPHER,
    RECORD_TLS_NAME,   /* asked for */
    RECORD_TLS_CLIENT, /* subject of its verified certificate */
    RECORD_TEXTS,
};

enum { RECORD_TEXT_BYTES = 1280 };

struct record {
    int64_t wall_ms; /* when the head's first byte came */
    uint64_t received_bytes;
    uint64_t sent_bytes;
    uint32_t head_us;       /* head complete */
    uint32_t queued_us;     /* time in the pool's queue */
    uint32_t connect_us;    /* connecting, 0 on a reused connection */
    uint32_t first_byte_us; /* the server's first byte; 0: none */
    uint32_t total_us;
    uint8_t client_address[16]; /* IPv4-mapped IPv6; all zero for a Unix socket */
    uint16_t client_port;
    uint16_t status; /* sent to the client; 0: none */
    uint16_t server_status;
    uint8_t attempts;
    uint8_t reason;       /* index into the words given to observer_start(): why this server */
    uint8_t failure;      /* index into the failure words; 0: none */
    uint8_t http_version; /* 10, 11, 20 */
    uint8_t is_reused;    /* the connection to the server */
    uint8_t is_tunnel;
    uint8_t is_tls_resumed;
    uint16_t text_end;
    uint16_t text_lengths[RECORD_TEXTS]; /* texts lie one after the other */
    char text[RECORD_TEXT_BYTES];
};

/* Appends the next text; they must be put in the order of enum record_text.  Cut to `most`. */
static inline void record_put(struct record *record, enum record_text which, struct slice text,
                              size_t most)
{
    size_t room = sizeof(record->text) - record->text_end;
    size_t len = text.len < most ? text.len : most;

    if (len > room)
        len = room;
    /* A compiler that knows how short it is copies with `rep movs`: slower than all else here. */
    __asm__("" : "+r"(len));
    if (len > 0)
        memcpy(record->text + record->text_end, text.at, len);
    record->text_lengths[which] = (uint16_t)len;
    record->text_end = (uint16_t)(record->text_end + len);
}

#endif
