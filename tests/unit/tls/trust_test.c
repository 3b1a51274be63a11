/* Towards a server, both ends ours: whom it is believed to be, and what is taken up again. */
#include "tests/unit/tls/talk.h"

#include "base/buffer.h"
#include "base/memory.h"
#include "tls/trust.h"

struct pipe {
    struct tls_engine *from, *to; /* what one sends the other is fed */
    struct buffer to_server, to_client;
    char plain[2 * TLS_HELD_BYTES + 65536];
};

static void pipe_to_server(void *context, struct slice bytes)
{
    buffer_append_slice(&((struct pipe *)context)->to_server, bytes);
}

static void pipe_to_client(void *context, struct slice bytes)
{
    buffer_append_slice(&((struct pipe *)context)->to_client, bytes);
}

static size_t drain(struct pipe *pipe, struct tls_engine *engine, struct buffer *from)
{
    struct buffer bytes = *from;
    size_t count;

    buffer_init(from);
    count = tls_engine_feed(engine, buffer_slice(&bytes), pipe->plain);
    buffer_fini(&bytes);
    return count;
}

static bool connect_pipe(struct pipe *pipe, const struct tls_server *server,
                         const struct tls_trust *trust, const char *name,
                         const struct tls_session *session)
{
    memset(pipe, 0, sizeof(*pipe));
    pipe->from = tls_engine_connect(trust, name, session, pipe_to_server, pipe);
    pipe->to = tls_engine_accept(server, pipe_to_client, pipe);
    (void)tls_engine_feed(pipe->from, SLICE(""), pipe->plain);
    for (int i = 0; i < 6; i++) {
        (void)drain(pipe, pipe->to, &pipe->to_server);
        (void)drain(pipe, pipe->from, &pipe->to_client);
    }
    return tls_engine_state(pipe->from) == TLS_OPEN && tls_engine_state(pipe->to) == TLS_OPEN;
}

static void close_pipe(struct pipe *pipe)
{
    tls_engine_free(&pipe->from);
    tls_engine_free(&pipe->to);
    buffer_fini(&pipe->to_server);
    buffer_fini(&pipe->to_client);
}

static struct tls_trust *trust_in(const char *ca_pem, bool verifies)
{
    struct tls_trust_options options = {.verifies = verifies, .ca_pem = slice_from(ca_pem)};
    struct error why = {0};
    struct tls_trust *trust = tls_trust_new(&options, &why);

    assert_string_equal(why.text, "");
    return trust;
}

static void a_server_is_believed_by_name_and_authority(void **state)
{
    struct made stranger = make_certificate(MADE_EC, NULL, NULL, true, 10);
    const struct {
        const char *ca;
        bool verifies;
        const char *name;
        const char *why; /* NULL: it is believed */
    } cases[] = {
        {world.ca.pem, true, "shop.example", NULL},
        {world.ca.pem, true, "a.wild.example", NULL},
        {world.ca.pem, true, NULL, NULL},
        {world.ca.pem, true, "unknown.example", "hostname mismatch"},
        {world.ca.pem, true, "10.0.0.1", "IP address mismatch"},
        {stranger.pem, true, "shop.example", "unable to get local issuer certificate"},
        {stranger.pem, false, "unknown.example", NULL},
    };
    struct tls_server *server = serve_usual();

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct tls_trust *trust = trust_in(cases[i].ca, cases[i].verifies);
        struct pipe *pipe = xcalloc(1, sizeof(*pipe));
        bool is_open = connect_pipe(pipe, server, trust, cases[i].name, NULL);

        assert_int_equal(is_open, cases[i].why == NULL);
        if (cases[i].why != NULL)
            assert_string_equal(tls_engine_why(pipe->from), cases[i].why);
        close_pipe(pipe);
        xfree(pipe);
        tls_trust_free(&trust);
    }
    tls_server_free(&server);
    drop_made(&stranger);
}

static void a_session_with_a_server_is_taken_up_again(void **state)
{
    struct tls_server *server = serve_usual();
    struct tls_trust *trust = trust_in(world.ca.pem, true);
    struct pipe *pipe = xcalloc(1, sizeof(*pipe));
    struct tls_session *session;

    (void)state;
    assert_true(connect_pipe(pipe, server, trust, "shop.example", NULL));
    assert_true(tls_engine_send(pipe->from, SLICE("hello")));
    assert_int_equal(drain(pipe, pipe->to, &pipe->to_server), 5);
    assert_memory_equal(pipe->plain, "hello", 5);
    session = tls_engine_take_session(pipe->from);
    assert_non_null(session);
    assert_null(tls_engine_take_session(pipe->from));
    tls_engine_end(pipe->from);
    close_pipe(pipe);
    assert_true(connect_pipe(pipe, server, trust, "shop.example", session));
    assert_true(tls_engine_is_resumed(pipe->from) && tls_engine_is_resumed(pipe->to));
    close_pipe(pipe);
    tls_session_free(&session);
    xfree(pipe);
    tls_trust_free(&trust);
    tls_server_free(&server);
}

static void a_context_lives_as_long_as_its_connections(void **state)
{
    struct tls_server *server = serve_usual();
    struct talk talk;

    (void)state;
    begin(&talk, server, "a.wild.example");
    tls_server_free(&server);
    assert_true(shake_hands(&talk));
    assert_int_equal(X509_cmp(SSL_get0_peer_certificate(talk.ssl), world.wild.certificate), 0);
    end(&talk);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_server_is_believed_by_name_and_authority),
        cmocka_unit_test(a_session_with_a_server_is_taken_up_again),
        cmocka_unit_test(a_context_lives_as_long_as_its_connections),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
