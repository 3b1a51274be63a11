/* h2_frames: both ends of a connection, talking to each other. */
#include "proxy/http/h2_frames.h"

#include "tests/unit/proxy_http/h2_peers.h"

#define ASK      GET_LINE HOST END
#define GET_LINE LINE("GET /a?b HTTP/1.1")
#define POST     LINE("POST / HTTP/1.1") HOST

static void test_the_ends_exchange_settings(void **state)
{
    struct pair pair;

    (void)state;
    peer_init(&pair.client, H2_CLIENT, &h2_test_limits);
    peer_init(&pair.server, H2_SERVER, &h2_test_limits);
    carry_both(&pair.client, &pair.server);
    assert_told(&pair.client, "settings 100\n");
    assert_told(&pair.server, "");
    assert_false(h2_frames_wants_write(pair.client.frames));
    assert_false(h2_frames_wants_write(pair.server.frames));
    assert_false(h2_frames_is_over(pair.client.frames));
    pair_fini(&pair);
}

static void test_a_request_without_a_body_is_answered(void **state)
{
    struct pair *pair = *state;

    ask(pair, GET_LINE HOST LINE("X-Upper: 1") LINE("TE: trailers") LINE("Connection: TE") END,
        true);
    carry(&pair->client, &pair->server);
    assert_told(&pair->server, "request 1 last :method=GET :scheme=http :path=/a?b :authority=a "
                               "x-upper=1 te=trailers\nend\n");
    assert_int_equal(h2_frames_streams(pair->server.frames), 1);
    h2_stream_respond(
        pair->server.last,
        SLICE(LINE("HTTP/1.1 200 OK") LINE("Content-Length: 5") LINE("Connection: close") END),
        false);
    h2_stream_send(pair->server.last, SLICE("hello"));
    h2_stream_end(pair->server.last, SLICE(""));
    carry(&pair->server, &pair->client);
    assert_told(&pair->server, "closed 0\n");
    assert_told(&pair->client,
                "response :status=200 content-length=5\ndata hello\nend\nclosed 0\n");
    assert_int_equal(h2_frames_streams(pair->server.frames), 0);
    assert_int_equal(h2_frames_streams(pair->client.frames), 0);
}

static void test_a_response_may_be_a_head_alone(void **state)
{
    struct pair *pair = *state;

    ask(pair, ASK, true);
    carry(&pair->client, &pair->server);
    h2_stream_respond(pair->server.last, SLICE(LINE("HTTP/1.1 204 No Content") END), true);
    carry(&pair->server, &pair->client);
    assert_told(&pair->client, "response last :status=204\nend\nclosed 0\n");
}

static void test_bodies_and_trailers_go_both_ways(void **state)
{
    struct pair *pair = *state;
    struct h2_stream *stream;

    stream = ask(pair, POST END, false);
    carry(&pair->client, &pair->server);
    assert_told(&pair->server, "request 1 :method=POST :scheme=http :path=/ :authority=a\n");
    h2_stream_send(stream, SLICE("ping"));
    carry(&pair->client, &pair->server);
    assert_told(&pair->server, "data ping\n");
    h2_stream_interim(pair->server.last,
                      SLICE(LINE("HTTP/1.1 103 Early Hints") LINE("Link: x") END));
    h2_stream_respond(pair->server.last, SLICE(LINE("HTTP/1.1 200 OK") END), false);
    h2_stream_send(pair->server.last, SLICE("pong"));
    carry(&pair->server, &pair->client);
    assert_told(&pair->client, "response :status=103 link=x\nresponse :status=200\ndata pong\n");
    h2_stream_end(stream, SLICE(LINE("X-Sum: 1")));
    carry(&pair->client, &pair->server);
    assert_told(&pair->server, "trailers x-sum=1\nend\n");
    h2_stream_end(pair->server.last, SLICE(LINE("Grpc-Status: 0") LINE("Grpc-Message: ")));
    carry(&pair->server, &pair->client);
    assert_told(&pair->client, "trailers grpc-status=0 grpc-message=\nend\nclosed 0\n");
    assert_told(&pair->server, "closed 0\n");
}

static void test_a_body_waits_for_the_window(void **state)
{
    struct pair *pair = *state;
    static char body[200000];
    struct h2_stream *stream;

    pair->server.keeps_windows = true;
    stream = ask(pair, POST END, false);
    assert_false(h2_stream_is_full(stream));
    h2_stream_send(stream, slice_of(body, sizeof(body)));
    assert_true(h2_stream_is_full(stream));
    h2_stream_end(stream, SLICE(""));
    carry_both(&pair->client, &pair->server);
    assert_int_equal(h2_stream_unsent(stream), sizeof(body) - 65536);
    assert_false(h2_frames_wants_write(pair->client.frames));
    h2_stream_consumed(pair->server.last, 65536);
    carry_both(&pair->client, &pair->server);
    assert_int_equal(h2_stream_unsent(stream), sizeof(body) - 2 * 65536);
    forget(&pair->client);
    h2_stream_consumed(pair->server.last, 65536);
    carry_both(&pair->client, &pair->server);
    assert_int_equal(h2_stream_unsent(stream), sizeof(body) - 3 * 65536);
    assert_told(&pair->client, "drained\n");
    h2_stream_consumed(pair->server.last, 65536);
    carry_both(&pair->client, &pair->server);
    assert_int_equal(h2_stream_unsent(stream), 0);
}

static void test_resets_say_whose_they_are(void **state)
{
    struct pair *pair = *state;
    struct h2_stream *stream;

    stream = ask(pair, POST END, false);
    carry(&pair->client, &pair->server);
    forget(&pair->server);
    h2_stream_reset(stream, H2_CANCEL);
    assert_told(&pair->client, "");
    carry(&pair->client, &pair->server);
    assert_told(&pair->client, "closed 8\n");
    assert_told(&pair->server, "closed 8 by peer\n");
    assert_int_equal(h2_frames_streams(pair->server.frames), 0);
}

static void test_a_reset_is_told_before_the_request_behind_it(void **state)
{
    struct pair *pair = *state;
    struct h2_stream *stream;

    stream = ask(pair, ASK, true);
    carry(&pair->client, &pair->server);
    forget(&pair->server);
    h2_stream_reset(stream, H2_CANCEL);
    (void)ask(pair, ASK, true);
    carry(&pair->client, &pair->server); /* in one read */
    assert_told(&pair->server, "closed 8 by peer\n"
                               "request 3 last :method=GET :scheme=http :path=/a?b :authority=a\n"
                               "end\n");
}

static void test_goaway_lets_streams_finish(void **state)
{
    struct pair *pair = *state;

    ask(pair, ASK, true);
    carry(&pair->client, &pair->server);
    h2_frames_goaway(pair->server.frames);
    carry(&pair->server, &pair->client);
    assert_told(&pair->client, "goaway 2147483647 0\n");
    assert_null(h2_frames_request(pair->client.frames, SLICE(ASK), false, true, (void *)1));
    h2_frames_goaway_final(pair->server.frames, H2_NO_ERROR);
    carry(&pair->server, &pair->client);
    assert_told(&pair->client, "goaway 1 0\n");
    assert_false(h2_frames_is_over(pair->server.frames));
    h2_stream_respond(pair->server.last, SLICE(LINE("HTTP/1.1 200 OK") END), true);
    carry(&pair->server, &pair->client);
    assert_told(&pair->client, "response last :status=200\nend\nclosed 0\n");
    assert_true(h2_frames_is_over(pair->server.frames));
    assert_true(h2_frames_is_over(pair->client.frames));
}

static void test_streams_that_a_server_never_saw_are_refused(void **state)
{
    struct pair *pair = *state;

    ask(pair, ASK, true);
    carry(&pair->client, &pair->server);
    h2_frames_goaway_final(pair->server.frames, H2_NO_ERROR);
    ask(pair, ASK, true);
    ask(pair, POST END, false);
    carry(&pair->client, &pair->server);
    forget(&pair->server);
    carry(&pair->server, &pair->client);
    assert_told(&pair->client, "goaway 1 0\nclosed 7\nclosed 7\n");
    assert_int_equal(h2_frames_streams(pair->client.frames), 1);
    /* they had come before it was written */
    assert_told(&pair->server, "closed 7\nclosed 7\n");
}

static void test_a_client_opens_as_many_as_the_server_takes(void **state)
{
    struct h2_limits limits = h2_test_limits;
    struct pair pair;

    (void)state;
    limits.streams = 2;
    pair_init(&pair, &limits);
    ask(&pair, ASK, true);
    ask(&pair, ASK, true);
    assert_null(h2_frames_request(pair.client.frames, SLICE(ASK), false, true, (void *)1));
    carry(&pair.client, &pair.server);
    h2_stream_respond(pair.server.last, SLICE(LINE("HTTP/1.1 200 OK") END), true);
    carry(&pair.server, &pair.client);
    ask(&pair, ASK, true);
    pair_fini(&pair);
}

static void test_in_a_crowd_a_stream_is_soon_full(void **state)
{
    struct h2_limits limits = h2_test_limits;
    static char body[200000];
    struct h2_stream *hog;
    struct h2_stream *other;
    struct pair pair;

    (void)state;
    limits.crowded_bytes = 100000;
    pair_init(&pair, &limits);
    pair.server.keeps_windows = true;
    other = ask(&pair, POST END, false);
    h2_stream_send(other, slice_of(body, 20000));
    assert_false(h2_stream_is_full(other));
    hog = ask(&pair, POST END, false);
    h2_stream_send(hog, slice_of(body, sizeof(body)));
    assert_true(h2_frames_is_crowded(pair.client.frames));
    assert_true(h2_stream_is_full(other));
    carry_both(&pair.client, &pair.server); /* a window of the hog's, and all of the other's */
    assert_int_equal(h2_stream_unsent(other), 0);
    assert_told(&pair.client, "drained\n");
    assert_true(h2_frames_is_crowded(pair.client.frames));
    h2_stream_send(other, slice_of(body, 9000));
    assert_true(h2_stream_is_full(other));
    h2_stream_reset(hog, H2_CANCEL);
    carry_both(&pair.client, &pair.server);
    assert_false(h2_frames_is_crowded(pair.client.frames));
    assert_told(&pair.client, "drained\nclosed 8\n");
    h2_stream_send(other, slice_of(body, 60000));
    assert_false(h2_stream_is_full(other));
    pair_fini(&pair);
}

static void test_what_was_not_sent_yet_can_be_cancelled(void **state)
{
    struct pair *pair = *state;
    struct h2_stream *stream;

    stream = ask(pair, POST END, false);
    h2_stream_send(stream, SLICE("abc"));
    h2_stream_reset(stream, H2_CANCEL);
    carry(&pair->client, &pair->server);
    assert_told(&pair->client, "closed 8\n");
    assert_told(&pair->server, "");
    assert_int_equal(h2_frames_streams(pair->client.frames), 0);
}

static void test_a_stream_that_is_over_takes_nothing_more(void **state)
{
    struct pair *pair = *state;
    struct h2_stream *stream;

    ask(pair, ASK, true);
    carry(&pair->client, &pair->server);
    stream = pair->server.last;
    h2_stream_respond(stream, SLICE(LINE("HTTP/1.1 200 OK") END), true);
    h2_stream_respond(stream, SLICE(LINE("HTTP/1.1 200 OK") END), true);
    h2_stream_interim(stream, SLICE(LINE("HTTP/1.1 103 x") END));
    h2_stream_send(stream, SLICE("abc"));
    h2_stream_end(stream, SLICE(LINE("X: y")));
    assert_int_equal(h2_stream_unsent(stream), 0);
    carry(&pair->server, &pair->client);
    assert_told(&pair->client, "response last :status=200\nend\nclosed 0\n");
}

static void test_trailers_may_come_without_a_body(void **state)
{
    struct pair *pair = *state;

    ask(pair, ASK, true);
    carry(&pair->client, &pair->server);
    h2_stream_respond(pair->server.last, SLICE(LINE("HTTP/1.1 200 OK") END), false);
    h2_stream_end(pair->server.last, SLICE(LINE("grpc-status: 5")));
    carry(&pair->server, &pair->client);
    assert_told(&pair->client, "response :status=200\ntrailers grpc-status=5\nend\nclosed 0\n");
}

static void test_heads_of_many_fields_pass(void **state)
{
    struct h2_limits limits = h2_test_limits;
    struct buffer head;
    struct pair pair;

    (void)state;
    limits.head.fields = 1000;
    pair_init(&pair, &limits);
    buffer_init(&head);
    buffer_append_literal(&head, GET_LINE HOST);
    for (unsigned i = 0; i < 700; i++)
        buffer_printf(&head, "X-%u: %u\r\n", i, i);
    buffer_append_literal(&head, END);
    ask(&pair, buffer_text(&head), true);
    carry(&pair.client, &pair.server);
    assert_non_null(strstr(buffer_text(&pair.server.told), "x-698=698 x-699=699\n"));
    buffer_fini(&head);
    pair_fini(&pair);
}

/* A peer that floods is as bad at the other end. */
static void test_a_server_may_not_flood_either(void **state)
{
    struct pair *pair = *state;

    ask(pair, ASK, true);
    for (unsigned i = 0; i < 201; i++)
        h2_frames_ping(pair->server.frames);
    carry(&pair->server, &pair->client);
    assert_told(&pair->client, "violation ping\n");
    h2_frames_free(&pair->client.frames);
    assert_told(&pair->client, "closed 2\n");
}

static void test_streams_that_are_left_are_told_closed(void **state)
{
    struct pair *pair = *state;

    ask(pair, ASK, true);
    carry(&pair->client, &pair->server);
    forget(&pair->server);
    h2_frames_free(&pair->server.frames);
    assert_null(pair->server.frames);
    assert_told(&pair->server, "closed 2\n");
}

static void test_what_is_taken_fits_any_room(void **state)
{
    struct pair *pair = *state;
    static char body[50000];
    char piece[8192];
    size_t all = 0;
    size_t count;

    ask(pair, ASK, true);
    carry(&pair->client, &pair->server);
    h2_stream_respond(pair->server.last, SLICE(LINE("HTTP/1.1 200 OK") END), false);
    h2_stream_send(pair->server.last, slice_of(body, sizeof(body)));
    h2_stream_end(pair->server.last, SLICE(""));
    for (size_t room = 2048; (count = h2_frames_take(pair->server.frames, piece, room)) > 0;
         room = room % 6000 + 2049) {
        assert_true(count <= room);
        all += count;
        assert_true(h2_frames_read(pair->client.frames, slice_of(piece, count), 1000));
    }
    assert_true(all > sizeof(body));
    assert_non_null(strstr(buffer_text(&pair->client.told), "end\nclosed 0\n"));
}

static void test_a_lent_body_goes_from_where_it_stands(void **state)
{
    struct pair *pair = *state;
    static char body[100000];
    static char block[80000];
    struct h2_stream *stream;
    size_t count;

    struct h2_stream *asked = ask(pair, ASK, true);

    carry(&pair->client, &pair->server);
    stream = pair->server.last;
    h2_stream_respond(stream, SLICE(LINE("HTTP/1.1 200 OK") END), false);
    h2_stream_send(stream, SLICE("first"));
    memset(body, 'l', sizeof(body));
    h2_stream_lend(stream, slice_of(body, sizeof(body)));
    count = h2_frames_take_untold(pair->server.frames, block, sizeof(block));
    h2_stream_keep(stream);
    memset(body, 'x', sizeof(body)); /* what is kept was copied */
    assert_int_equal(h2_stream_unsent(stream), 5 + sizeof(body) - 65536);
    assert_non_null(memmem(block, count, "firstlll", 8));
    assert_true(h2_frames_read(pair->client.frames, slice_of(block, count), 1000));
    h2_stream_end(stream, SLICE(""));
    h2_stream_consumed(asked, 65536);
    carry(&pair->client, &pair->server);
    count = h2_frames_take(pair->server.frames, block, sizeof(block));
    assert_true(count > sizeof(body) - 65536);
    assert_null(memchr(block, 'x', count));
}

static void test_frames_may_be_taken_without_being_told(void **state)
{
    struct pair *pair = *state;
    char block[2048];

    ask(pair, ASK, true);
    carry(&pair->client, &pair->server);
    forget(&pair->server);
    h2_stream_respond(pair->server.last, SLICE(LINE("HTTP/1.1 204 No Content") END), true);
    assert_true(h2_frames_take_untold(pair->server.frames, block, sizeof(block)) > 0);
    assert_told(&pair->server, "");
    assert_int_equal(h2_frames_take(pair->server.frames, block, sizeof(block)), 0);
    assert_told(&pair->server, "closed 0\n");
}

static void *answer_at_once(void *connection, struct h2_stream *stream, const struct h2_head *head,
                            bool is_last)
{
    struct peer *peer = connection;
    char block[2048];

    (void)is_last;
    (void)head;
    h2_stream_respond(stream, SLICE(LINE("HTTP/1.1 204 No Content") END), true);
    assert_int_equal(h2_frames_take_untold(peer->frames, block, sizeof(block)), 0);
    return stream;
}

static void test_within_an_event_no_frame_is_taken(void **state)
{
    struct h2_events events = peer_events;
    struct pair pair;

    (void)state;
    peer_init(&pair.client, H2_CLIENT, &h2_test_limits);
    peer_init(&pair.server, H2_SERVER, &h2_test_limits);
    h2_frames_free(&pair.server.frames);
    events.on_request = answer_at_once;
    pair.server.frames = h2_frames_new(H2_SERVER, &h2_test_limits, &events, &pair.server);
    carry_both(&pair.client, &pair.server);
    forget(&pair.client);
    ask(&pair, ASK, true);
    carry_both(&pair.client, &pair.server);
    assert_told(&pair.client, "response last :status=204\nend\nclosed 0\n");
    pair_fini(&pair);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_ends_exchange_settings),
        pair_test(test_a_request_without_a_body_is_answered),
        pair_test(test_a_response_may_be_a_head_alone),
        pair_test(test_bodies_and_trailers_go_both_ways),
        pair_test(test_a_body_waits_for_the_window),
        pair_test(test_resets_say_whose_they_are),
        pair_test(test_a_reset_is_told_before_the_request_behind_it),
        pair_test(test_goaway_lets_streams_finish),
        pair_test(test_streams_that_a_server_never_saw_are_refused),
        cmocka_unit_test(test_a_client_opens_as_many_as_the_server_takes),
        cmocka_unit_test(test_in_a_crowd_a_stream_is_soon_full),
        pair_test(test_what_was_not_sent_yet_can_be_cancelled),
        pair_test(test_a_stream_that_is_over_takes_nothing_more),
        pair_test(test_trailers_may_come_without_a_body),
        cmocka_unit_test(test_heads_of_many_fields_pass),
        pair_test(test_a_server_may_not_flood_either),
        pair_test(test_streams_that_are_left_are_told_closed),
        pair_test(test_what_is_taken_fits_any_room),
        pair_test(test_a_lent_body_goes_from_where_it_stands),
        pair_test(test_frames_may_be_taken_without_being_told),
        cmocka_unit_test(test_within_an_event_no_frame_is_taken),
    };

    return cmocka_run_group_tests(tests, headers_ready, NULL);
}
