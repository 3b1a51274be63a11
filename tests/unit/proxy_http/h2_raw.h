/*
 * h2_raw - frames written by hand, malformed ones too, for a server's end (h2_peers.h) to read; and
 * a look at the frames that it answers with.
 */
#ifndef TESTS_UNIT_PROXY_HTTP_H2_RAW_H
#define TESTS_UNIT_PROXY_HTTP_H2_RAW_H

#include "tests/unit/proxy_http/h2_peers.h"

enum raw_type {
    RAW_DATA,
    RAW_HEADERS,
    RAW_PRIORITY,
    RAW_RST_STREAM,
    RAW_SETTINGS,
    RAW_PUSH_PROMISE,
    RAW_PING,
    RAW_GOAWAY,
    RAW_WINDOW_UPDATE,
    RAW_CONTINUATION,
};

enum { RAW_END_STREAM = 1, RAW_ACK = 1, RAW_END_HEADERS = 4, RAW_PADDED = 8 };

static inline void raw_u32(struct buffer *to, uint32_t value)
{
    const char bytes[] = {(char)(value >> 24), (char)(value >> 16), (char)(value >> 8),
                          (char)value};

    buffer_append(to, bytes, 4);
}

static inline void raw_frame(struct buffer *to, unsigned type, unsigned flags, uint32_t stream,
                             struct slice payload)
{
    const char head[] = {(char)(payload.len >> 16), (char)(payload.len >> 8), (char)payload.len,
                         (char)type, (char)flags};

    buffer_append(to, head, sizeof(head));
    raw_u32(to, stream);
    buffer_append_slice(to, payload);
}

static inline void raw_preface(struct buffer *to)
{
    buffer_append_literal(to, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
    raw_frame(to, RAW_SETTINGS, 0, 0, SLICE(""));
}

/* Text without a length over 126 bytes costs one byte for it (RFC 7541 §5.1). */
static inline void raw_text(struct buffer *to, struct slice text)
{
    size_t rest = text.len - 127;
    char c = (char)(text.len < 127 ? text.len : 127);

    buffer_append(to, &c, 1);
    for (; text.len >= 127; rest >>= 7) {
        c = (char)(rest < 128 ? rest : (rest & 127) | 128);
        buffer_append(to, &c, 1);
        if (rest < 128)
            break;
    }
    buffer_append_slice(to, text);
}

/* A literal field that goes into no table. */
static inline void raw_field(struct buffer *to, struct slice name, struct slice value)
{
    buffer_append(to, "\0", 1);
    raw_text(to, name);
    raw_text(to, value);
}

/* "|name=value|name=value", as fields. */
static inline void raw_fields(struct buffer *to, const char *text)
{
    struct slice name;
    struct slice value;

    while (next_field(&text, &name, &value))
        raw_field(to, name, value);
}

static inline void raw_headers(struct buffer *to, uint32_t stream, unsigned flags,
                               const char *fields)
{
    struct buffer block;

    buffer_init(&block);
    raw_fields(&block, fields);
    raw_frame(to, RAW_HEADERS, flags | RAW_END_HEADERS, stream, buffer_slice(&block));
    buffer_fini(&block);
}

static inline void raw_number(struct buffer *to, enum raw_type type, uint32_t stream,
                              uint32_t number)
{
    struct buffer payload;

    buffer_init(&payload);
    raw_u32(&payload, number);
    raw_frame(to, type, 0, stream, buffer_slice(&payload));
    buffer_fini(&payload);
}

/* Names of the frames that it writes, "RST_STREAM 3 8" and the like, those of SETTINGS and
 * WINDOW_UPDATE left out. */
static inline void raw_read(struct peer *peer, struct buffer *out)
{
    static const char *const names[] = {"DATA",     "HEADERS",      "PRIORITY", "RST_STREAM",
                                        "SETTINGS", "PUSH_PROMISE", "PING",     "GOAWAY",
                                        "WINDOW",   "CONTINUATION"};
    static char bytes[65536];
    struct buffer all;
    const unsigned char *at;

    buffer_init(&all);
    for (size_t count; (count = h2_frames_take(peer->frames, bytes, sizeof(bytes))) > 0;)
        buffer_append(&all, bytes, count);
    at = (const unsigned char *)buffer_slice(&all).at;
    for (size_t left = buffer_length(&all); left > 0;) {
        size_t length = (size_t)at[0] << 16 | (size_t)at[1] << 8 | at[2];
        uint32_t stream =
            (uint32_t)at[5] << 24 | (uint32_t)at[6] << 16 | (uint32_t)at[7] << 8 | at[8];

        assert_true(left >= 9 + length);
        if (at[3] == RAW_RST_STREAM)
            buffer_printf(out, "RST_STREAM %u %u\n", stream, at[12]);
        else if (at[3] == RAW_GOAWAY)
            buffer_printf(out, "GOAWAY %u\n", at[16]);
        else if (at[3] != RAW_SETTINGS && at[3] != RAW_WINDOW_UPDATE)
            buffer_printf(out, "%s %u\n", names[at[3]], stream);
        at += 9 + length;
        left -= 9 + length;
    }
    buffer_fini(&all);
}

/* A server's end that a preface was sent to. */
struct raw {
    struct peer peer;
    struct buffer out; /* to be read by it */
    struct buffer in;  /* what it answered, as text */
};

static inline bool raw_give(struct raw *raw)
{
    bool goes_on = h2_frames_read(raw->peer.frames, buffer_slice(&raw->out), raw->peer.now_ms);

    buffer_clear(&raw->out);
    return goes_on;
}

static inline const char *raw_answer(struct raw *raw)
{
    buffer_clear(&raw->in);
    raw_read(&raw->peer, &raw->in);
    return buffer_text(&raw->in);
}

static inline void raw_init_to(struct raw *raw, const struct h2_limits *limits, bool acknowledges)
{
    peer_init(&raw->peer, H2_SERVER, limits);
    buffer_init(&raw->out);
    buffer_init(&raw->in);
    raw_preface(&raw->out);
    if (acknowledges)
        raw_frame(&raw->out, RAW_SETTINGS, RAW_ACK, 0, SLICE(""));
    assert_string_equal(raw_answer(raw), "");
    assert_true(raw_give(raw));
    assert_string_equal(raw_answer(raw), "");
}

static inline void raw_init(struct raw *raw, const struct h2_limits *limits)
{
    raw_init_to(raw, limits, true);
}

static inline void raw_fini(struct raw *raw)
{
    peer_fini(&raw->peer);
    buffer_fini(&raw->out);
    buffer_fini(&raw->in);
}

/* A test whose state is such an end with the usual limits. */
static inline int raw_setup(void **state)
{
    static struct raw raw;

    raw_init(&raw, &h2_test_limits);
    *state = &raw;
    return 0;
}

static inline int raw_teardown(void **state)
{
    raw_fini(*state);
    return 0;
}

#define raw_test(test) cmocka_unit_test_setup_teardown(test, raw_setup, raw_teardown)

#endif
