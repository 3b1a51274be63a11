/* What is resumed, with which keys, and for how long these live. */
#include "tests/unit/tls/talk.h"

static SSL_SESSION *session_of(const struct tls_server *server, int version)
{
    struct talk talk;
    SSL_SESSION *session;
    char byte;

    begin(&talk, server, "shop.example");
    SSL_set_max_proto_version(talk.ssl, version);
    assert_true(shake_hands(&talk));
    (void)SSL_read(talk.ssl, &byte, 1); /* tickets come after the handshake */
    session = SSL_get1_session(talk.ssl);
    end(&talk);
    return session;
}

static bool is_resumed(const struct tls_server *server, SSL_SESSION *session)
{
    struct talk talk;
    bool resumed;

    begin(&talk, server, "shop.example");
    SSL_set_session(talk.ssl, session);
    SSL_set_max_proto_version(talk.ssl, SSL_SESSION_get_protocol_version(session));
    assert_true(shake_hands(&talk));
    resumed = tls_engine_is_resumed(talk.engine);
    assert_string_equal(tls_engine_server_name(talk.engine), "shop.example");
    end(&talk);
    return resumed;
}

static void sessions_outlive_a_reload_and_a_rotation(void **state)
{
    static const int versions[] = {TLS1_2_VERSION, TLS1_3_VERSION};
    const int64_t rotation_ms = (int64_t)TLS_TICKET_ROTATION_S * 1000;

    (void)state;
    for (int i = 0; i < 2; i++) {
        struct tls_server_options options = usual();
        struct tls_tickets *tickets = tls_tickets_new(1000);
        struct tls_server *server;
        SSL_SESSION *session;

        options.tickets = tickets;
        server = serve(&options);
        session = session_of(server, versions[i]);
        tls_server_free(&server);
        server = serve(&options);
        assert_true(is_resumed(server, session));
        assert_true(tls_tickets_rotate(tickets, 1000 + rotation_ms, NULL));
        assert_true(is_resumed(server, session));
        assert_true(tls_tickets_rotate(tickets, 1000 + 2 * rotation_ms, NULL));
        assert_true(is_resumed(server, session));
        assert_true(tls_tickets_rotate(tickets, 1000 + 3 * rotation_ms, NULL));
        assert_false(is_resumed(server, session));
        SSL_SESSION_free(session);
        tls_server_free(&server);
        tls_tickets_free(&tickets);
    }
}

struct asked {
    struct talk talk; /* first: it is the context of `send` */
    int times;
    bool may;
};

static bool is_asked(void *context)
{
    struct asked *asked = context;

    asked->times++;
    return asked->may;
}

/* Which groups the client has; `session` NULL: none.  How often was asked, -1: no handshake. */
static int times_asked(const struct tls_server *server, SSL_SESSION *session, const char *groups,
                       bool may)
{
    static struct asked asked;
    bool is_open;

    begin(&asked.talk, server, "shop.example");
    asked.times = 0;
    asked.may = may;
    tls_engine_ask_before(asked.talk.engine, is_asked);
    if (session != NULL) {
        SSL_set_session(asked.talk.ssl, session);
        SSL_set_max_proto_version(asked.talk.ssl, SSL_SESSION_get_protocol_version(session));
    }
    if (groups != NULL)
        assert_int_equal(SSL_set1_groups_list(asked.talk.ssl, groups), 1);
    is_open = shake_hands(&asked.talk);
    if (!is_open)
        assert_string_equal(tls_engine_why(asked.talk.engine),
                            "more handshakes a second than the listener takes");
    end(&asked.talk);
    return is_open ? asked.times : -1;
}

static void only_handshakes_without_a_session_are_asked_for_and_once(void **state)
{
    static const int versions[] = {TLS1_2_VERSION, TLS1_3_VERSION};
    struct tls_server *server = serve_usual();

    (void)state;
    assert_int_equal(times_asked(server, NULL, NULL, true), 1);
    /* P-521 is offered first, and not taken: the hello comes twice */
    assert_int_equal(times_asked(server, NULL, "P-521:P-256", true), 1);
    assert_int_equal(times_asked(server, NULL, NULL, false), -1);
    for (int i = 0; i < 2; i++) {
        SSL_SESSION *session = session_of(server, versions[i]);

        assert_int_equal(times_asked(server, session, NULL, false), 0);
        SSL_SESSION_free(session);
    }
    tls_server_free(&server);
}

static void a_key_is_not_rotated_before_its_time_but_when_the_clock_went_back(void **state)
{
    struct tls_server_options options = usual();
    struct tls_tickets *tickets = tls_tickets_new(1000000);
    struct tls_server *server;
    SSL_SESSION *session;

    (void)state;
    options.tickets = tickets;
    server = serve(&options);
    session = session_of(server, TLS1_3_VERSION);
    for (int i = 0; i < 5; i++)
        assert_true(tls_tickets_rotate(tickets, 1000000 + 1000 * i, NULL));
    assert_true(is_resumed(server, session));
    for (int i = 0; i < 3; i++)
        assert_true(tls_tickets_rotate(tickets, 900000 - 1000 * i, NULL));
    assert_false(is_resumed(server, session));
    SSL_SESSION_free(session);
    tls_server_free(&server);
    tls_tickets_free(&tickets);
}

static void a_session_of_one_listener_is_none_at_another(void **state)
{
    struct tls_server_options options = usual();
    struct tls_server *here = serve(&options);
    struct tls_server *there;
    SSL_SESSION *session = session_of(here, TLS1_3_VERSION);

    (void)state;
    options.name = "other";
    there = serve(&options);
    assert_true(is_resumed(here, session));
    assert_false(is_resumed(there, session));
    SSL_SESSION_free(session);
    tls_server_free(&here);
    tls_server_free(&there);
}

static void tickets_lie_in_the_state_directory(void **state)
{
    char directory[] = "/tmp/twokey-tickets-XXXXXX";
    struct tls_server_options options = usual();
    struct error why = {0};
    struct tls_tickets *tickets;
    struct tls_server *server;
    SSL_SESSION *session;
    char command[128];

    (void)state;
    assert_non_null(mkdtemp(directory));
    tickets = tls_tickets_open(directory, 1000, &why);
    assert_non_null(tickets);
    options.tickets = tickets;
    server = serve(&options);
    session = session_of(server, TLS1_3_VERSION);
    tls_server_free(&server);
    tls_tickets_free(&tickets);
    tickets = tls_tickets_open(directory, 2000, &why);
    options.tickets = tickets;
    server = serve(&options);
    assert_true(is_resumed(server, session));
    SSL_SESSION_free(session);
    tls_server_free(&server);
    tls_tickets_free(&tickets);
    (void)snprintf(command, sizeof(command), "rm -r %s", directory);
    assert_int_equal(system(command), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sessions_outlive_a_reload_and_a_rotation),
        cmocka_unit_test(only_handshakes_without_a_session_are_asked_for_and_once),
        cmocka_unit_test(a_key_is_not_rotated_before_its_time_but_when_the_clock_went_back),
        cmocka_unit_test(a_session_of_one_listener_is_none_at_another),
        cmocka_unit_test(tickets_lie_in_the_state_directory),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
