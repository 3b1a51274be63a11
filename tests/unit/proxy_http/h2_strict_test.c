/* h2_frames: what a client may not send, frame by frame, and what its streams cost. */
#include "proxy/http/h2_frames.h"

#include "tests/unit/proxy_http/h2_raw.h"

#define ASK  "|:method=GET|:scheme=http|:path=/|:authority=a"
#define SEND "|:method=POST|:scheme=http|:path=/|:authority=a"

enum { LAST = RAW_END_STREAM };

/* One head that is malformed for nghttp2: the stream is reset, nobody is told of it. */
static void test_malformed_heads_cost_the_stream(void **state)
{
    static const char *const rows[] = {
        "|:scheme=http|:path=/|:authority=a",
        "|:method=GET|:path=/|:authority=a",
        "|:method=GET|:scheme=http|:authority=a",
        "|:method=GET|:scheme=http|:path=/",
        "|:method=GET|:scheme=http|:path=|:authority=a",
        ASK "|:method=GET",
        ASK "|:other=1",
        ASK "|:status=200",
        ASK "|x=1|:path=/",
        ASK "|X-Upper=1",
        ASK "|x y=1",
        ASK "|x\r\ny=1",
        ASK "|=1",
        ASK "|x=a\r\nb: c",
        ASK "|x=a\nb",
        ASK "|x=\x01",
        ASK "|x= a",
        ASK "|x=a ",
        ASK "|connection=close",
        ASK "|keep-alive=1",
        ASK "|proxy-connection=a",
        ASK "|transfer-encoding=chunked",
        ASK "|upgrade=h2c",
        ASK "|te=gzip",
        ASK "|content-length=a",
        ASK "|content-length=",
        ASK "|content-length=1",
        ASK "|content-length=0|content-length=0",
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct raw raw;

        raw_init(&raw, &h2_test_limits);
        raw_headers(&raw.out, 1, LAST, rows[i]);
        raw_headers(&raw.out, 3, LAST, ASK);
        assert_true(raw_give(&raw));
        if (strcmp(buffer_text(&raw.peer.told),
                   "request 3 last :method=GET :scheme=http :path=/ :authority=a\nend\n") != 0)
            fail_msg("%s: \"%s\"", rows[i], buffer_text(&raw.peer.told));
        if (strcmp(raw_answer(&raw), "RST_STREAM 1 1\n") != 0)
            fail_msg("%s: \"%s\"", rows[i], buffer_text(&raw.in));
        raw_fini(&raw);
    }
}

static void test_a_body_is_as_long_as_it_says(void **state)
{
    static const struct {
        const char *length;
        const char *data; /* NULL: none */
        bool has_trailers;
        bool is_fine;
    } rows[] = {
        {"|content-length=3", "abc", false, true},
        {"|content-length=3", "abc", true, true},
        {"|content-length=0", "", false, true},
        {"|content-length=0", NULL, true, true},
        {"|content-length=3", "ab", false, false},
        {"|content-length=3", "ab", true, false},
        {"|content-length=3", "abcd", false, false},
        {"|content-length=3", "abcd", true, false},
        {"|content-length=3", "", false, false},
        {"|content-length=3", NULL, true, false},
        {"|content-length=0", "a", false, false},
        {"", "abc", false, true},
        {"", "", false, true},
        {"", NULL, true, true},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct raw raw;
        char head[128];
        bool ended;

        raw_init(&raw, &h2_test_limits);
        snprintf(head, sizeof(head), SEND "%s", rows[i].length);
        raw_headers(&raw.out, 1, 0, head);
        if (rows[i].data != NULL)
            raw_frame(&raw.out, RAW_DATA, rows[i].has_trailers ? 0 : LAST, 1,
                      slice_from(rows[i].data));
        if (rows[i].has_trailers)
            raw_headers(&raw.out, 1, LAST, "|x=y");
        assert_true(raw_give(&raw));
        ended = strstr(buffer_text(&raw.peer.told), "end\n") != NULL;
        if (ended != rows[i].is_fine)
            fail_msg("row %zu: \"%s\"", i, buffer_text(&raw.peer.told));
        assert_string_equal(raw_answer(&raw), rows[i].is_fine ? "" : "RST_STREAM 1 1\n");
        if (!rows[i].is_fine)
            assert_non_null(strstr(buffer_text(&raw.peer.told), "closed 1\n"));
        raw_fini(&raw);
    }
}

static void test_faults_of_the_connection_end_it(void **state)
{
    static const struct {
        unsigned type;
        unsigned flags;
        uint32_t stream;
        const char *payload;
        size_t length;
        unsigned code;
    } rows[] = {
        {RAW_DATA, 0, 0, "a", 1, H2_PROTOCOL_ERROR},
        {RAW_DATA, 0, 5, "a", 1, H2_PROTOCOL_ERROR},
        {RAW_HEADERS, RAW_END_HEADERS, 0, "", 0, H2_PROTOCOL_ERROR},
        {RAW_HEADERS, RAW_END_HEADERS, 2, "", 0, H2_PROTOCOL_ERROR},
        {RAW_HEADERS, RAW_END_HEADERS, 1, "\xff\xff\xff\xff\xff\xff\xff\xff", 8, 9},
        {RAW_HEADERS, RAW_END_HEADERS | RAW_PADDED, 1,
         "\x09"
         "abc",
         4, H2_PROTOCOL_ERROR},
        {RAW_CONTINUATION, RAW_END_HEADERS, 1, "", 0, H2_PROTOCOL_ERROR},
        {RAW_RST_STREAM, 0, 0, "\0\0\0\0", 4, H2_PROTOCOL_ERROR},
        {RAW_RST_STREAM, 0, 7, "\0\0\0\0", 4, H2_PROTOCOL_ERROR},
        {RAW_RST_STREAM, 0, 1, "\0\0\0", 3, 6},
        {RAW_SETTINGS, 0, 1, "", 0, H2_PROTOCOL_ERROR},
        {RAW_SETTINGS, 0, 0, "\0", 1, 6},
        {RAW_SETTINGS, RAW_ACK, 0, "\0\0\0\0\0\0", 6, 6},
        {RAW_SETTINGS, 0, 0, "\0\4\xff\xff\xff\xff", 6, H2_FLOW_CONTROL_ERROR},
        {RAW_SETTINGS, 0, 0, "\0\5\0\0\0\0", 6, H2_PROTOCOL_ERROR},
        {RAW_SETTINGS, 0, 0, "\0\2\0\0\0\2", 6, H2_PROTOCOL_ERROR},
        {RAW_PUSH_PROMISE, RAW_END_HEADERS, 1, "\0\0\0\2", 4, H2_PROTOCOL_ERROR},
        {RAW_PING, 0, 1, "12345678", 8, H2_PROTOCOL_ERROR},
        {RAW_PING, 0, 0, "1234567", 7, 6},
        {RAW_GOAWAY, 0, 1, "\0\0\0\0\0\0\0\0", 8, H2_PROTOCOL_ERROR},
        {RAW_WINDOW_UPDATE, 0, 0, "\0\0\0\0", 4, H2_PROTOCOL_ERROR},
        {RAW_WINDOW_UPDATE, 0, 0, "\x7f\xff\xff\xff", 4, H2_FLOW_CONTROL_ERROR},
        {RAW_WINDOW_UPDATE, 0, 9, "\0\0\0\1", 4, H2_PROTOCOL_ERROR},
        {RAW_WINDOW_UPDATE, 0, 0, "\0\0\1", 3, 6},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct raw raw;
        char expected[64];

        raw_init(&raw, &h2_test_limits);
        raw_frame(&raw.out, rows[i].type, rows[i].flags, rows[i].stream,
                  slice_of(rows[i].payload, rows[i].length));
        (void)raw_give(&raw);
        snprintf(expected, sizeof(expected), "GOAWAY %u\n", rows[i].code);
        if (strcmp(raw_answer(&raw), expected) != 0)
            fail_msg("row %zu: \"%s\", not \"%s\"", i, buffer_text(&raw.in), expected);
        if (strcmp(buffer_text(&raw.peer.told), "violation protocol\n") != 0)
            fail_msg("row %zu: \"%s\"", i, buffer_text(&raw.peer.told));
        assert_true(h2_frames_is_over(raw.peer.frames));
        assert_false(raw_give(&raw));
        raw_fini(&raw);
    }
}

static void test_what_is_no_preface_is_over_at_once(void **state)
{
    struct peer peer;

    (void)state;
    peer_init(&peer, H2_SERVER, &h2_test_limits);
    assert_false(h2_frames_read(peer.frames, SLICE("GET / HTTP/1.1\r\n\r\n"), 1));
    assert_told(&peer, "violation protocol\n");
    peer_fini(&peer);
}

static void test_frames_between_a_head_s_are_a_fault(void **state)
{
    struct raw *raw = *state;

    raw_frame(&raw->out, RAW_HEADERS, LAST, 1, SLICE(""));
    raw_frame(&raw->out, RAW_PING, 0, 0, SLICE("12345678"));
    (void)raw_give(raw);
    assert_string_equal(raw_answer(raw), "GOAWAY 1\n");
}

static void test_a_head_that_is_too_large_can_be_answered(void **state)
{
    struct raw *raw = *state;
    static char value[4000];

    memset(value, 'a', sizeof(value) - 1);
    for (unsigned stream = 1; stream <= 3; stream += 2) {
        struct buffer block;

        buffer_init(&block);
        raw_fields(&block, ASK);
        raw_frame(&raw->out, RAW_HEADERS, 0, stream, buffer_slice(&block));
        for (unsigned i = 0; i < (stream == 1 ? 17 : 4); i++) {
            buffer_clear(&block);
            raw_field(&block, SLICE("x"), slice_of(value, sizeof(value) - 1));
            raw_frame(&raw->out, RAW_CONTINUATION, 0, stream, buffer_slice(&block));
        }
        raw_frame(&raw->out, RAW_CONTINUATION, RAW_END_HEADERS, stream, SLICE(""));
        raw_frame(&raw->out, RAW_DATA, 0, stream, SLICE("abc"));
        buffer_fini(&block);
        assert_true(raw_give(raw));
        if (stream == 1) {
            assert_told(&raw->peer, "too large 1\n");
            /* nobody wants its body */
            assert_string_equal(raw_answer(raw), "HEADERS 1\nRST_STREAM 1 0\n");
        } else {
            assert_int_equal(strncmp(buffer_text(&raw->peer.told), "request 3 ", 10), 0);
        }
    }
    assert_int_equal(h2_frames_streams(raw->peer.frames), 1);
}

static void test_too_many_fields_are_too_large_but_not_cookies(void **state)
{
    struct raw *raw = *state;
    struct buffer head;

    for (unsigned i = 0; i < 2; i++) {
        buffer_init(&head);
        buffer_append_literal(&head, ASK);
        for (unsigned n = 0; n < 110; n++)
            buffer_printf(&head, i == 0 ? "|x=%u" : "|cookie=a%u", n);
        raw_headers(&raw->out, i * 2 + 1, LAST, buffer_text(&head));
        assert_true(raw_give(raw));
        assert_int_equal(
            strncmp(buffer_text(&raw->peer.told), i == 0 ? "too large" : "request 3", 9), 0);
        forget(&raw->peer);
        buffer_fini(&head);
    }
}

/* Who has not seen the limit yet is refused the stream only. */
static void test_streams_over_the_limit_are_refused(void **state)
{
    (void)state;
    for (int has_seen = 0; has_seen < 2; has_seen++) {
        struct raw raw;

        raw_init_to(&raw, &h2_test_limits, has_seen);
        for (unsigned stream = 1; stream <= 203; stream += 2)
            raw_headers(&raw.out, stream, LAST, ASK);
        (void)raw_give(&raw);
        assert_int_equal(h2_frames_streams(raw.peer.frames), 100);
        assert_string_equal(raw_answer(&raw),
                            has_seen ? "GOAWAY 1\n" : "RST_STREAM 201 7\nRST_STREAM 203 7\n");
        raw_fini(&raw);
    }
}

static void test_an_extended_connect_comes_only_where_it_is_offered(void **state)
{
    static const char head[] =
        "|:method=CONNECT|:protocol=websocket|:scheme=http|:path=/|:authority=a";
    struct h2_limits limits = h2_test_limits;

    (void)state;
    for (int offered = 0; offered < 2; offered++) {
        struct raw raw;

        limits.extended_connect = offered;
        raw_init(&raw, &limits);
        raw_headers(&raw.out, 1, 0, head);
        assert_true(raw_give(&raw));
        assert_string_equal(raw_answer(&raw), offered ? "" : "RST_STREAM 1 1\n");
        assert_int_equal(buffer_length(&raw.peer.told) > 0, offered);
        raw_fini(&raw);
    }
}

static void test_a_plain_connect_is_told_to_be_refused(void **state)
{
    struct raw *raw = *state;

    raw_headers(&raw->out, 1, 0, "|:method=CONNECT|:authority=a:443");
    assert_true(raw_give(raw));
    assert_told(&raw->peer, "request 1 :method=CONNECT :authority=a:443\n");
}

/* ---- windows ---- */

/* However a stream ends, what it sent does not weigh on the others. */
static void test_the_connection_window_never_leaks(void **state)
{
    struct raw *raw = *state;
    static char body[1000];
    char padded[1000] = {(char)200};
    uint32_t stream = 1;

    raw->peer.keeps_windows = true;
    /* 6,000 streams of 3,000 bytes: 17 times the connection's window */
    for (; stream < 12000; stream += 2) {
        bool resets_first = stream % 4 == 1;

        raw_headers(&raw->out, stream, 0, SEND);
        raw_frame(&raw->out, RAW_DATA, 0, stream, slice_of(body, sizeof(body)));
        if (resets_first)
            raw_number(&raw->out, RAW_RST_STREAM, stream, H2_CANCEL);
        assert_true(raw_give(raw));
        if (!resets_first)
            h2_stream_reset(raw->peer.last, H2_CANCEL);
        /* late, for a stream that is gone or going */
        raw_frame(&raw->out, RAW_DATA, RAW_PADDED, stream, slice_of(padded, sizeof(padded)));
        raw_frame(&raw->out, RAW_DATA, RAW_PADDED, stream, slice_of(padded, sizeof(padded)));
        assert_true(raw_give(raw));
        raw_answer(raw);
        raw_frame(&raw->out, RAW_DATA, 0, stream, SLICE("later still"));
        assert_true(raw_give(raw));
        raw_answer(raw);
        raw->peer.now_ms += 50;
        forget(&raw->peer);
    }
    assert_int_equal(h2_frames_streams(raw->peer.frames), 0);
}

static void test_a_body_that_nobody_wants_is_dropped_without_end(void **state)
{
    struct raw *raw = *state;
    static char body[10000];

    raw->peer.refuses_owner = true;
    raw_headers(&raw->out, 1, 0, SEND);
    for (unsigned i = 0; i < 300; i++) {
        raw_frame(&raw->out, RAW_DATA, 0, 1, slice_of(body, sizeof(body)));
        assert_true(raw_give(raw));
        assert_string_equal(raw_answer(raw), "");
    }
    h2_stream_respond(raw->peer.last, SLICE(LINE("HTTP/1.1 413 x") END), true);
    assert_string_equal(raw_answer(raw), "HEADERS 1\nRST_STREAM 1 0\n");
    assert_int_equal(h2_frames_streams(raw->peer.frames), 0);
}

static void test_more_than_the_window_is_a_fault(void **state)
{
    struct raw *raw = *state;
    static char body[16384];

    raw->peer.keeps_windows = true;
    raw_headers(&raw->out, 1, 0, SEND);
    for (unsigned i = 0; i < 4; i++)
        raw_frame(&raw->out, RAW_DATA, 0, 1, slice_of(body, sizeof(body)));
    assert_true(raw_give(raw));
    assert_string_equal(raw_answer(raw), "");
    raw_frame(&raw->out, RAW_DATA, 0, 1, slice_of(body, 1));
    (void)raw_give(raw);
    /* of the stream or of the connection: either is right (RFC 9113 §6.9) */
    assert_non_null(strstr(raw_answer(raw), " 3\n"));
}

static void test_a_response_that_comes_early_ends_before_the_reset(void **state)
{
    struct raw *raw = *state;
    static char body[20000];

    raw_headers(&raw->out, 1, 0, SEND);
    assert_true(raw_give(raw));
    h2_stream_respond(raw->peer.last, SLICE(LINE("HTTP/1.1 413 x") END), false);
    h2_stream_send(raw->peer.last, slice_of(body, sizeof(body)));
    h2_stream_end(raw->peer.last, SLICE(""));
    h2_stream_reset(raw->peer.last, H2_NO_ERROR);
    assert_string_equal(raw_answer(raw), "HEADERS 1\nDATA 1\nDATA 1\nRST_STREAM 1 0\n");
}

/* A window that was made smaller under way is below zero until as much was given back. */
static void test_a_peer_may_shrink_its_windows(void **state)
{
    struct raw *raw = *state;
    static char body[60000];

    raw_headers(&raw->out, 1, LAST, ASK);
    assert_true(raw_give(raw));
    h2_stream_respond(raw->peer.last, SLICE(LINE("HTTP/1.1 200 OK") END), false);
    h2_stream_send(raw->peer.last, slice_of(body, 40000));
    assert_string_equal(raw_answer(raw), "HEADERS 1\nDATA 1\nDATA 1\nDATA 1\n");
    h2_stream_send(raw->peer.last, slice_of(body, 20000));
    raw_frame(&raw->out, RAW_SETTINGS, 0, 0, SLICE("\0\4\0\0\x75\x30")); /* 30,000: 10,000 below */
    assert_true(raw_give(raw));
    assert_string_equal(raw_answer(raw), "");
    raw_number(&raw->out, RAW_WINDOW_UPDATE, 1, 10000);
    assert_true(raw_give(raw));
    assert_string_equal(raw_answer(raw), "");
    raw_number(&raw->out, RAW_WINDOW_UPDATE, 1, 1);
    assert_true(raw_give(raw));
    assert_string_equal(raw_answer(raw), "DATA 1\n");
    assert_int_equal(h2_stream_unsent(raw->peer.last), 19999);
    raw_number(&raw->out, RAW_WINDOW_UPDATE, 1, 19999);
    assert_true(raw_give(raw));
    assert_string_equal(raw_answer(raw), "DATA 1\nDATA 1\n");
}

/* A peer whose table is smaller is told in the next head that ours is. */
static void test_a_peer_may_have_no_table(void **state)
{
    struct raw *raw = *state;

    raw_frame(&raw->out, RAW_SETTINGS, 0, 0, SLICE("\0\1\0\0\0\0"));
    for (unsigned stream = 1; stream <= 3; stream += 2) {
        char bytes[2048];
        size_t count = 0;

        raw_headers(&raw->out, stream, LAST, ASK);
        assert_true(raw_give(raw));
        h2_stream_respond(raw->peer.last, SLICE(LINE("HTTP/1.1 200 OK") LINE("Server: x") END),
                          true);
        count = h2_frames_take(raw->peer.frames, bytes, sizeof(bytes));
        assert_true(count > 9);
        if (stream == 1) {
            /* behind the acknowledgement: the size of the table, which is none */
            assert_int_equal((unsigned char)bytes[9 + 9], 0x20);
            assert_int_equal((unsigned char)bytes[9 + 9 + 1], 0x88);
        } else {
            assert_int_equal((unsigned char)bytes[9], 0x88);
            assert_true(count > 9 + 2); /* not an index into the table */
        }
    }
}

/* Larger frames than every peer takes are never sent. */
static void test_frames_stay_small(void **state)
{
    struct raw *raw = *state;
    static char body[60000];
    static char bytes[65536];
    size_t count;

    raw_frame(&raw->out, RAW_SETTINGS, 0, 0, SLICE("\0\5\0\xff\xff\xff"));
    raw_headers(&raw->out, 1, LAST, ASK);
    assert_true(raw_give(raw));
    raw_answer(raw);
    h2_stream_respond(raw->peer.last, SLICE(LINE("HTTP/1.1 200 OK") END), false);
    h2_stream_send(raw->peer.last, slice_of(body, sizeof(body)));
    count = h2_frames_take(raw->peer.frames, bytes, sizeof(bytes));
    for (size_t at = 0; at + 9 <= count;) {
        const unsigned char *head = (const unsigned char *)bytes + at;
        size_t length = (size_t)head[0] << 16 | (size_t)head[1] << 8 | head[2];

        assert_true(length <= 16384);
        at += 9 + length;
    }
}

static void test_trailers_alone_cost_no_empty_frame(void **state)
{
    struct raw *raw = *state;

    raw_headers(&raw->out, 1, LAST, ASK);
    assert_true(raw_give(raw));
    h2_stream_respond(raw->peer.last, SLICE(LINE("HTTP/1.1 200 OK") END), false);
    h2_stream_end(raw->peer.last, SLICE(LINE("grpc-status: 5")));
    assert_string_equal(raw_answer(raw), "HEADERS 1\nHEADERS 1\n");
}

/* No download waits for another's end. */
static void test_streams_take_turns(void **state)
{
    struct raw *raw = *state;
    static char body[60000];

    raw_number(&raw->out, RAW_WINDOW_UPDATE, 0, 1 << 20);
    for (unsigned stream = 1; stream <= 5; stream += 2) {
        raw_headers(&raw->out, stream, LAST, ASK);
        assert_true(raw_give(raw));
        h2_stream_respond(raw->peer.last, SLICE(LINE("HTTP/1.1 200 OK") END), false);
        h2_stream_send(raw->peer.last, slice_of(body, sizeof(body)));
    }
    raw_answer(raw);
    assert_non_null(strstr(buffer_text(&raw->in), "DATA 1\nDATA 3\nDATA 5\nDATA 1\nDATA 3\n"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_malformed_heads_cost_the_stream),
        cmocka_unit_test(test_a_body_is_as_long_as_it_says),
        cmocka_unit_test(test_faults_of_the_connection_end_it),
        cmocka_unit_test(test_what_is_no_preface_is_over_at_once),
        raw_test(test_frames_between_a_head_s_are_a_fault),
        raw_test(test_a_head_that_is_too_large_can_be_answered),
        raw_test(test_too_many_fields_are_too_large_but_not_cookies),
        cmocka_unit_test(test_streams_over_the_limit_are_refused),
        cmocka_unit_test(test_an_extended_connect_comes_only_where_it_is_offered),
        raw_test(test_a_plain_connect_is_told_to_be_refused),
        raw_test(test_the_connection_window_never_leaks),
        raw_test(test_a_body_that_nobody_wants_is_dropped_without_end),
        raw_test(test_more_than_the_window_is_a_fault),
        raw_test(test_a_peer_may_shrink_its_windows),
        raw_test(test_a_peer_may_have_no_table),
        raw_test(test_frames_stay_small),
        raw_test(test_streams_take_turns),
        raw_test(test_trailers_alone_cost_no_empty_frame),
        raw_test(test_a_response_that_comes_early_ends_before_the_reset),
    };

    return cmocka_run_group_tests(tests, headers_ready, NULL);
}
