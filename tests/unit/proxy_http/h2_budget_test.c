/* h2_budget: honest peers never run out, floods do; first the buckets, then whole connections. */
#include "proxy/http/h2_budget.h"

#include "tests/unit/proxy_http/h2_raw.h"

#define ASK "|:method=GET|:scheme=http|:path=/|:authority=a"

static void test_a_bucket_gives_its_burst_and_then_its_rate(void **state)
{
    struct h2_budget budget;
    unsigned count = 0;

    (void)state;
    h2_budget_init(&budget);
    h2_budget_refill(&budget, 5000);
    while (h2_budget_spend(&budget, H2_BUDGET_SETTINGS))
        count++;
    assert_int_equal(count, 50);
    h2_budget_refill(&budget, 5400);
    assert_false(h2_budget_spend(&budget, H2_BUDGET_SETTINGS));
    h2_budget_refill(&budget, 5500);
    assert_true(h2_budget_spend(&budget, H2_BUDGET_SETTINGS));
    assert_false(h2_budget_spend(&budget, H2_BUDGET_SETTINGS));
}

static void test_a_bucket_is_never_more_than_full(void **state)
{
    struct h2_budget budget;
    unsigned count = 0;

    (void)state;
    h2_budget_init(&budget);
    h2_budget_refill(&budget, 1);
    h2_budget_refill(&budget, UINT64_MAX / 2);
    h2_budget_earn(&budget, H2_BUDGET_PING, UINT32_MAX);
    while (h2_budget_spend(&budget, H2_BUDGET_PING))
        count++;
    assert_int_equal(count, 200);
}

static void test_a_clock_that_goes_back_gives_nothing(void **state)
{
    struct h2_budget budget;

    (void)state;
    h2_budget_init(&budget);
    h2_budget_refill(&budget, 100000);
    while (h2_budget_spend(&budget, H2_BUDGET_SETTINGS))
        ;
    h2_budget_refill(&budget, 50000);
    assert_false(h2_budget_spend(&budget, H2_BUDGET_SETTINGS));
}

/* ---- floods ---- */

/* What a flood sends again and again. */
typedef void flood_fn(struct raw *raw, uint32_t turn);

static void flood_pings(struct raw *raw, uint32_t turn)
{
    (void)turn;
    raw_frame(&raw->out, RAW_PING, 0, 0, SLICE("12345678"));
}

static void flood_acknowledged_pings(struct raw *raw, uint32_t turn)
{
    (void)turn;
    raw_frame(&raw->out, RAW_PING, RAW_ACK, 0, SLICE("12345678"));
}

static void flood_settings(struct raw *raw, uint32_t turn)
{
    (void)turn;
    raw_frame(&raw->out, RAW_SETTINGS, 0, 0, SLICE(""));
}

static void flood_resets(struct raw *raw, uint32_t turn)
{
    raw_headers(&raw->out, turn * 2 + 1, RAW_END_STREAM, ASK);
    raw_number(&raw->out, RAW_RST_STREAM, turn * 2 + 1, H2_CANCEL);
}

/* MadeYouReset: the peer never resets, it makes us do so. */
static void flood_provoked_resets(struct raw *raw, uint32_t turn)
{
    raw_headers(&raw->out, turn * 2 + 1, RAW_END_STREAM, ASK);
    raw_number(&raw->out, RAW_WINDOW_UPDATE, turn * 2 + 1, 0);
}

static void flood_provoked_by_data(struct raw *raw, uint32_t turn)
{
    raw_headers(&raw->out, turn * 2 + 1, RAW_END_STREAM, ASK);
    raw_frame(&raw->out, RAW_DATA, 0, turn * 2 + 1, SLICE("late"));
}

static void flood_provoked_by_window(struct raw *raw, uint32_t turn)
{
    raw_headers(&raw->out, turn * 2 + 1, RAW_END_STREAM, ASK);
    raw_number(&raw->out, RAW_WINDOW_UPDATE, turn * 2 + 1, 0x7fffffff);
}

static void flood_provoked_by_heads(struct raw *raw, uint32_t turn)
{
    raw_headers(&raw->out, turn * 2 + 1, RAW_END_STREAM, ASK "|x=a\nb");
}

static void flood_empty_data(struct raw *raw, uint32_t turn)
{
    if (turn == 0)
        raw_headers(&raw->out, 1, 0, ASK);
    raw_frame(&raw->out, RAW_DATA, 0, 1, SLICE(""));
}

static void flood_padding(struct raw *raw, uint32_t turn)
{
    if (turn == 0)
        raw_headers(&raw->out, 1, 0, ASK);
    raw_frame(&raw->out, RAW_DATA, RAW_PADDED, 1,
              SLICE("\x03"
                    "abc"));
}

static void flood_priorities(struct raw *raw, uint32_t turn)
{
    raw_frame(&raw->out, RAW_PRIORITY, 0, turn * 2 + 1, SLICE("\0\0\0\0\x10"));
}

static void flood_windows(struct raw *raw, uint32_t turn)
{
    (void)turn;
    raw_number(&raw->out, RAW_WINDOW_UPDATE, 0, 1);
}

static void flood_unknown(struct raw *raw, uint32_t turn)
{
    (void)turn;
    raw_frame(&raw->out, 0xbe, 0, 0, SLICE(""));
}

static void flood_continuations(struct raw *raw, uint32_t turn)
{
    if (turn == 0)
        raw_frame(&raw->out, RAW_HEADERS, 0, 1, SLICE(""));
    raw_frame(&raw->out, RAW_CONTINUATION, 0, 1, SLICE(""));
}

/* Each of a size that is not counted: the number for one head is. */
static void continue_head(struct raw *raw, uint32_t turn, struct slice name)
{
    static char value[1100];
    struct buffer block;

    memset(value, 'a', sizeof(value));
    buffer_init(&block);
    raw_field(&block, name, slice_of(value, sizeof(value)));
    if (turn == 0)
        raw_frame(&raw->out, RAW_HEADERS, 0, 1, SLICE(""));
    raw_frame(&raw->out, RAW_CONTINUATION, 0, 1, buffer_slice(&block));
    buffer_fini(&block);
}

static void flood_large_continuations(struct raw *raw, uint32_t turn)
{
    continue_head(raw, turn, SLICE("a"));
}

/* The head is malformed from the beginning: nghttp2 shows us nothing of it any more. */
static void flood_ignored_continuations(struct raw *raw, uint32_t turn)
{
    continue_head(raw, turn, SLICE("A"));
}

static void flood_late_heads(struct raw *raw, uint32_t turn)
{
    if (turn == 0) {
        raw_headers(&raw->out, 1, 0, ASK);
        raw_number(&raw->out, RAW_RST_STREAM, 1, H2_CANCEL);
    }
    raw_headers(&raw->out, 1, RAW_END_STREAM, "|x=y");
}

/* One field in the table, named again and again (RFC 7541: one byte each). */
static void flood_bombs(struct raw *raw, uint32_t turn)
{
    static char value[4000];
    struct buffer block;

    buffer_init(&block);
    raw_fields(&block, ASK);
    if (turn == 0) {
        memset(value, 'a', sizeof(value));
        buffer_append(&block, "\x40", 1);
        raw_text(&block, SLICE("x"));
        raw_text(&block, slice_of(value, sizeof(value)));
    }
    for (unsigned i = 0; i < 10000; i++)
        buffer_append(&block, "\xbe", 1);
    raw_frame(&raw->out, RAW_HEADERS, RAW_END_STREAM | RAW_END_HEADERS, turn * 2 + 1,
              buffer_slice(&block));
    buffer_fini(&block);
}

static void flood_large_heads(struct raw *raw, uint32_t turn)
{
    struct buffer head;

    buffer_init(&head);
    buffer_append_literal(&head, ASK);
    for (unsigned i = 0; i < 150; i++)
        buffer_append_literal(&head, "|x=y");
    raw_headers(&raw->out, turn * 2 + 1, RAW_END_STREAM, buffer_text(&head));
    buffer_fini(&head);
}

/* Turns until the connection is over, and why. */
static unsigned turns_of(flood_fn *flood, unsigned most, unsigned ms_between, bool is_read,
                         char why[64])
{
    struct raw raw;
    unsigned turn = 0;

    raw_init(&raw, &h2_test_limits);
    *why = '\0';
    for (bool goes_on = true; goes_on && turn < most; turn++) {
        flood(&raw, turn);
        goes_on = raw_give(&raw);
        raw.peer.now_ms += ms_between;
        if (is_read) {
            raw_answer(&raw);
            goes_on = goes_on && !h2_frames_is_over(raw.peer.frames);
        }
    }
    if (turn < most) {
        const char *told = strstr(buffer_text(&raw.peer.told), "violation ");

        if (told == NULL || sscanf(told, "violation %63s", why) != 1)
            fail_msg("it is over, but no violation: %s", buffer_text(&raw.peer.told));
        raw_answer(&raw);
    }
    raw_fini(&raw);
    return turn;
}

static void test_floods_end_the_connection(void **state)
{
    static const struct {
        const char *name;
        flood_fn *flood;
        unsigned most;
        const char *why;
    } rows[] = {
        {"pings", flood_pings, 201, "ping"},
        {"pings nobody asked for", flood_acknowledged_pings, 201, "ping"},
        {"settings", flood_settings, 51, "settings"},
        {"resets", flood_resets, 501, "resets"},
        {"provoked resets", flood_provoked_resets, 501, NULL},
        {"provoked by data", flood_provoked_by_data, 501, NULL},
        {"provoked by window", flood_provoked_by_window, 202, "provoked_resets"},
        {"provoked by heads", flood_provoked_by_heads, 202, "provoked_resets"},
        {"empty data", flood_empty_data, 202, "empty_data"},
        {"padding", flood_padding, 202, "empty_data"},
        {"priorities", flood_priorities, 1001, "priority"},
        {"windows", flood_windows, 2001, "window_update"},
        {"unknown", flood_unknown, 501, "unknown"},
        {"continuations", flood_continuations, 201, "continuation"},
        {"large continuations", flood_large_continuations, 33, "continuation"},
        {"ignored continuations", flood_ignored_continuations, 130, "continuation"},
        {"late heads", flood_late_heads, 502, "closed"},
        {"bombs", flood_bombs, 2, "header_list"},
        {"large heads", flood_large_heads, 101, "header_list"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        /* what nghttp2 finds, and resets, are told and counted when they are written */
        int least = (rows[i].why == NULL || rows[i].flood == flood_large_heads ||
                     strcmp(rows[i].why, "provoked_resets") == 0)
                        ? 1
                        : 0;

        for (int is_read = 1; is_read >= least; is_read--) {
            char why[64];
            unsigned turns = turns_of(rows[i].flood, 10000, 0, is_read, why);

            if (turns > rows[i].most + (is_read ? 0 : 900))
                fail_msg("%s: %u turns", rows[i].name, turns);
            if (is_read && rows[i].why != NULL && strcmp(why, rows[i].why) != 0)
                fail_msg("%s: \"%s\"", rows[i].name, why);
        }
    }
}

/* Frames that have no answer of ours are no flood by being many a second less than their rate. */
static void test_what_comes_slowly_goes_on(void **state)
{
    static const struct {
        const char *name;
        flood_fn *flood;
        unsigned ms;
    } rows[] = {
        {"pings", flood_pings, 100},          {"settings", flood_settings, 500},
        {"resets", flood_resets, 20},         {"empty data", flood_empty_data, 50},
        {"priorities", flood_priorities, 10}, {"windows", flood_windows, 5},
        {"unknown", flood_unknown, 20},       {"large heads", flood_large_heads, 500},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char why[64];

        if (turns_of(rows[i].flood, 2500, rows[i].ms, true, why) < 2500)
            fail_msg("%s: %s", rows[i].name, why);
    }
}

static void test_what_is_not_read_ends_the_connection(void **state)
{
    struct raw *raw = *state;

    for (; raw->peer.now_ms < 200000; raw->peer.now_ms += 105) {
        raw_frame(&raw->out, RAW_PING, 0, 0, SLICE("12345678"));
        if (!raw_give(raw))
            break;
    }
    assert_non_null(strstr(buffer_text(&raw->peer.told), "violation unread\n"));
}

/* ---- honest peers ---- */

/* A browser leaves a page: all that is open is reset, again and again. */
static void test_a_browser_may_leave_pages(void **state)
{
    struct raw *raw = *state;
    uint32_t stream = 1;

    for (unsigned page = 0; page < 50; page++) {
        for (unsigned i = 0; i < 100; i++, stream += 2)
            raw_headers(&raw->out, stream, RAW_END_STREAM, ASK);
        assert_true(raw_give(raw));
        for (uint32_t open = stream - 200; open < stream; open += 2)
            raw_number(&raw->out, RAW_RST_STREAM, open, H2_CANCEL);
        assert_true(raw_give(raw));
        raw_answer(raw);
        raw->peer.now_ms += 2000;
    }
    assert_int_equal(h2_frames_streams(raw->peer.frames), 0);
}

/* gRPC measures the way with a PING for data, and gives windows back for each message. */
static void test_a_peer_may_answer_each_data_frame(void **state)
{
    struct raw *raw = *state;

    raw_headers(&raw->out, 1, 0, ASK);
    assert_true(raw_give(raw));
    h2_stream_respond(raw->peer.last, SLICE(LINE("HTTP/1.1 200 OK") END), false);
    for (unsigned i = 0; i < 20000; i++) {
        h2_stream_send(raw->peer.last, SLICE("message"));
        raw_answer(raw);
        raw_frame(&raw->out, RAW_PING, 0, 0, SLICE("12345678"));
        for (unsigned n = 0; n < 4; n++)
            raw_number(&raw->out, RAW_WINDOW_UPDATE, n % 2, 4);
        assert_true(raw_give(raw));
    }
}

/* A proxy in front of us: many callers on one connection, one in six gives up. */
static void test_who_takes_many_responses_may_give_up_some(void **state)
{
    struct raw *raw = *state;
    uint32_t stream = 1;

    for (unsigned turn = 0; turn < 3000; turn++) {
        for (unsigned i = 0; i < 6; i++, stream += 2) {
            raw_headers(&raw->out, stream, RAW_END_STREAM, ASK);
            if (i == 5)
                raw_number(&raw->out, RAW_RST_STREAM, stream, H2_CANCEL);
            assert_true(raw_give(raw));
            if (i < 5)
                h2_stream_respond(raw->peer.last, SLICE(LINE("HTTP/1.1 200 OK") END), true);
        }
        raw_answer(raw);
        forget(&raw->peer);
    }
}

/* Some servers answer each upload before its end, and say so; some flush what is empty. */
static void test_a_server_may_refuse_each_request(void **state)
{
    struct pair *pair = *state;

    for (unsigned i = 0; i < 2000; i++) {
        ask(pair, LINE("POST / HTTP/1.1") HOST END, false);
        carry(&pair->client, &pair->server);
        h2_stream_respond(pair->server.last, SLICE(LINE("HTTP/1.1 200 OK") END), true);
        h2_stream_reset(pair->server.last, H2_NO_ERROR);
        carry(&pair->server, &pair->client);
        assert_null(strstr(buffer_text(&pair->client.told), "violation"));
        forget(&pair->client);
        forget(&pair->server);
    }
}

static void test_each_data_frame_may_have_an_empty_one_behind_it(void **state)
{
    struct raw *raw = *state;

    raw_headers(&raw->out, 1, 0, "|:method=POST|:scheme=http|:path=/|:authority=a");
    for (unsigned i = 0; i < 5000; i++) {
        raw_frame(&raw->out, RAW_DATA, 0, 1, SLICE("data"));
        raw_frame(&raw->out, RAW_DATA, 0, 1, SLICE(""));
        assert_true(raw_give(raw));
        raw_answer(raw);
    }
}

/* h2load -m 100: a hundred at a time, each answered. */
static void test_a_load_of_requests_is_no_flood(void **state)
{
    struct raw *raw = *state;
    uint32_t stream = 1;

    for (unsigned turn = 0; turn < 300; turn++) {
        for (unsigned i = 0; i < 100; i++, stream += 2) {
            raw_headers(&raw->out, stream, RAW_END_STREAM, ASK);
            assert_true(raw_give(raw));
            h2_stream_respond(raw->peer.last, SLICE(LINE("HTTP/1.1 200 OK") END), false);
            h2_stream_send(raw->peer.last, SLICE("body"));
            h2_stream_end(raw->peer.last, SLICE(""));
        }
        raw_answer(raw);
        raw_number(&raw->out, RAW_WINDOW_UPDATE, 0, 400);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_bucket_gives_its_burst_and_then_its_rate),
        cmocka_unit_test(test_a_bucket_is_never_more_than_full),
        cmocka_unit_test(test_a_clock_that_goes_back_gives_nothing),
        cmocka_unit_test(test_floods_end_the_connection),
        cmocka_unit_test(test_what_comes_slowly_goes_on),
        raw_test(test_what_is_not_read_ends_the_connection),
        raw_test(test_a_browser_may_leave_pages),
        raw_test(test_a_peer_may_answer_each_data_frame),
        raw_test(test_who_takes_many_responses_may_give_up_some),
        pair_test(test_a_server_may_refuse_each_request),
        raw_test(test_each_data_frame_may_have_an_empty_one_behind_it),
        raw_test(test_a_load_of_requests_is_no_flood),
    };

    return cmocka_run_group_tests(tests, headers_ready, NULL);
}
