/*
 * h2_peers - both ends of an HTTP/2 connection in memory: what each is told is written down as
 * text, one event a line, and bytes go from one to the other when asked.
 */
#ifndef TESTS_UNIT_PROXY_HTTP_H2_PEERS_H
#define TESTS_UNIT_PROXY_HTTP_H2_PEERS_H

#include "base/buffer.h"
#include "base/list.h"
#include "proxy/http/h2_frames.h"

#include "tests/unit/proxy_http/heads.h"

static const struct h2_limits h2_test_limits = {
    .streams = 100,
    .stream_window = 65536,
    .connection_window = 1 << 20,
    .head = {65536, 8192, 100, HEAD_UNDERSCORES_DROP},
    .extended_connect = true,
};

struct peer {
    struct h2_frames *frames;
    struct buffer told;
    struct h2_stream *last; /* that a request came on */
    bool keeps_windows;     /* does not give back what it was given */
    bool refuses_owner;
    uint64_t now_ms;
};

static inline void tell(struct peer *peer, const char *what, const void *owner)
{
    buffer_printf(&peer->told, "%s%s%s", what, owner != NULL ? " " : "",
                  owner != NULL ? (const char *)owner : "");
}

static inline void tell_head(struct peer *peer, const struct h2_head *head)
{
    for (size_t i = 0; i < head->count; i++)
        buffer_printf(&peer->told, " %.*s=%.*s", SLICE_ARGS(head->fields[i].name),
                      SLICE_ARGS(head->fields[i].value));
    buffer_append_literal(&peer->told, "\n");
}

static inline void *peer_on_request(void *connection, struct h2_stream *stream,
                                    const struct h2_head *head, bool is_last)
{
    struct peer *peer = connection;

    peer->last = stream;
    buffer_printf(&peer->told, "request %u%s", h2_stream_id(stream), is_last ? " last" : "");
    tell_head(peer, head);
    return peer->refuses_owner ? NULL : stream;
}

static inline void *peer_on_too_large(void *connection, struct h2_stream *stream)
{
    struct peer *peer = connection;

    peer->last = stream;
    buffer_printf(&peer->told, "too large %u\n", h2_stream_id(stream));
    h2_stream_respond(stream, SLICE(LINE("HTTP/1.1 431 x") END), true);
    return NULL;
}

static inline unsigned id_of(const void *owner)
{
    return h2_stream_id(owner);
}

static inline void peer_on_response(void *connection, void *owner, const struct h2_head *head,
                                    bool is_last)
{
    struct peer *peer = connection;

    buffer_printf(&peer->told, "response%s", is_last ? " last" : "");
    (void)owner;
    tell_head(peer, head);
}

static inline void peer_on_trailers(void *connection, void *owner, const struct h2_head *head)
{
    struct peer *peer = connection;

    (void)owner;
    buffer_append_literal(&peer->told, "trailers");
    tell_head(peer, head);
}

/* The owner of a stream of the client's end is its name; here the place of its stream. */
static inline void peer_on_data(void *connection, void *owner, struct slice data)
{
    struct peer *peer = connection;
    struct h2_stream *stream = owner;

    if (data.len <= 40)
        buffer_printf(&peer->told, "data %.*s\n", SLICE_ARGS(data));
    else
        buffer_printf(&peer->told, "data of %zu\n", data.len);
    if (!peer->keeps_windows && peer->last == stream)
        h2_stream_consumed(stream, data.len);
}

static inline void peer_on_end(void *connection, void *owner)
{
    (void)owner;
    buffer_append_literal(&((struct peer *)connection)->told, "end\n");
}

static inline void peer_on_closed(void *connection, void *owner, uint32_t code, bool is_by_peer)
{
    struct peer *peer = connection;

    if (peer->last == owner)
        peer->last = NULL;
    buffer_printf(&peer->told, "closed %u%s\n", code, is_by_peer ? " by peer" : "");
}

static inline void peer_on_drained(void *connection, void *owner)
{
    (void)owner;
    buffer_append_literal(&((struct peer *)connection)->told, "drained\n");
}

static inline void peer_on_goaway(void *connection, uint32_t last, uint32_t code)
{
    buffer_printf(&((struct peer *)connection)->told, "goaway %u %u\n", last, code);
}

static inline void peer_on_settings(void *connection, uint32_t streams)
{
    buffer_printf(&((struct peer *)connection)->told, "settings %u\n", streams);
}

static inline void peer_on_violation(void *connection, const char *why)
{
    buffer_printf(&((struct peer *)connection)->told, "violation %s\n", why);
}

static const struct h2_events peer_events = {
    .on_request = peer_on_request,
    .on_request_too_large = peer_on_too_large,
    .on_response = peer_on_response,
    .on_trailers = peer_on_trailers,
    .on_data = peer_on_data,
    .on_end = peer_on_end,
    .on_closed = peer_on_closed,
    .on_drained = peer_on_drained,
    .on_goaway = peer_on_goaway,
    .on_settings = peer_on_settings,
    .on_violation = peer_on_violation,
};

static inline void peer_init(struct peer *peer, enum h2_end end, const struct h2_limits *limits)
{
    headers_init();
    *peer = (struct peer){.now_ms = 1000};
    buffer_init(&peer->told);
    peer->frames = h2_frames_new(end, limits, &peer_events, peer);
}

static inline void peer_fini(struct peer *peer)
{
    h2_frames_free(&peer->frames);
    buffer_fini(&peer->told);
}

/* All that `from` has to write, to `to`; how much it was. */
static inline size_t carry(struct peer *from, struct peer *to)
{
    char bytes[16384];
    size_t all = 0;
    size_t count;

    while ((count = h2_frames_take(from->frames, bytes, sizeof(bytes))) > 0) {
        all += count;
        (void)h2_frames_read(to->frames, slice_of(bytes, count), to->now_ms);
    }
    return all;
}

static inline void carry_both(struct peer *a, struct peer *b)
{
    while (carry(a, b) + carry(b, a) > 0)
        ;
}

/* What it was told since the last time is this. */
static inline void assert_told(struct peer *peer, const char *expected)
{
    assert_string_equal(buffer_text(&peer->told), expected);
    buffer_clear(&peer->told);
}

static inline void forget(struct peer *peer)
{
    buffer_clear(&peer->told);
}

/* The test's usual pair, its settings exchanged. */
struct pair {
    struct peer client;
    struct peer server;
};

static inline void pair_init(struct pair *pair, const struct h2_limits *limits)
{
    peer_init(&pair->client, H2_CLIENT, limits);
    peer_init(&pair->server, H2_SERVER, limits);
    carry_both(&pair->client, &pair->server);
    forget(&pair->client);
    forget(&pair->server);
}

static inline void pair_fini(struct pair *pair)
{
    peer_fini(&pair->client);
    peer_fini(&pair->server);
}

/* A test whose state is a pair with the usual limits. */
static inline int pair_setup(void **state)
{
    static struct pair pair;

    pair_init(&pair, &h2_test_limits);
    *state = &pair;
    return 0;
}

static inline int pair_teardown(void **state)
{
    pair_fini(*state);
    return 0;
}

#define pair_test(test) cmocka_unit_test_setup_teardown(test, pair_setup, pair_teardown)

static inline struct h2_stream *ask(struct pair *pair, const char *head, bool is_last)
{
    struct h2_stream *stream =
        h2_frames_request(pair->client.frames, slice_from(head), false, is_last, (void *)1);

    assert_non_null(stream);
    return stream;
}

#endif
