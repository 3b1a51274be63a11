/*
 * The engine against OpenSSL as a client, in memory: who gets which certificate, what is spoken,
 * what is resumed, who is let in.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include <openssl/ssl.h>

#include "base/buffer.h"
#include "base/error.h"
#include "base/memory.h"
#include "tests/unit/tls/certificates.h"
#include "tls/certificate.h"
#include "tls/context.h"
#include "tls/engine.h"
#include "tls/tickets.h"
#include "tls/trust.h"

/* ---- a client ---- */

struct talk {
    SSL_CTX *context;
    SSL *ssl;
    BIO *to_client, *from_client;
    struct tls_engine *engine;
    char plain[512 * 1024]; /* that came out at the server */
    size_t plain_bytes;
    size_t step; /* bytes fed at once; 0: all there are */
};

static void to_client(void *context, struct slice bytes)
{
    struct talk *talk = context;

    assert_int_equal(BIO_write(talk->to_client, bytes.at, (int)bytes.len), (int)bytes.len);
}

static void begin(struct talk *talk, const struct tls_server *server, const char *name)
{
    memset(talk, 0, sizeof(*talk));
    talk->context = SSL_CTX_new(TLS_client_method());
    talk->ssl = SSL_new(talk->context);
    talk->to_client = BIO_new(BIO_s_mem());
    talk->from_client = BIO_new(BIO_s_mem());
    SSL_set_bio(talk->ssl, talk->to_client, talk->from_client);
    SSL_set_connect_state(talk->ssl);
    if (name != NULL)
        SSL_set_tlsext_host_name(talk->ssl, name);
    talk->engine = tls_engine_accept(server, to_client, talk);
}

static void end(struct talk *talk)
{
    tls_engine_free(&talk->engine);
    /* else its session counts as broken */
    SSL_set_shutdown(talk->ssl, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
    SSL_free(talk->ssl);
    SSL_CTX_free(talk->context);
}

static void feed_server(struct talk *talk)
{
    char bytes[65536];
    int count;

    while ((count = BIO_read(talk->from_client, bytes,
                             talk->step > 0 ? (int)talk->step : (int)sizeof(bytes))) > 0) {
        assert_true(talk->plain_bytes + (size_t)count + TLS_HELD_BYTES <= sizeof(talk->plain));
        talk->plain_bytes += tls_engine_feed(talk->engine, slice_of(bytes, (size_t)count),
                                             talk->plain + talk->plain_bytes);
    }
}

/* True: both sides are done. */
static bool shake_hands(struct talk *talk)
{
    int done = 0;

    for (int i = 0; i < 10 && done != 1; i++) {
        done = SSL_do_handshake(talk->ssl);
        feed_server(talk);
    }
    return done == 1 && tls_engine_state(talk->engine) == TLS_OPEN;
}

static size_t read_client(struct talk *talk, char *out, size_t room)
{
    size_t total = 0, count;

    while (total < room && SSL_read_ex(talk->ssl, out + total, room - total, &count) == 1)
        total += count;
    return total;
}

/* ---- a server ---- */

struct world {
    struct made ca, shop, shop_rsa, wild, other;
    struct tls_certificate *certificates[4];
    struct tls_choice choices[4];
    struct tls_tickets *tickets;
} world;

static struct tls_certificate *load(const struct made *made)
{
    struct error why = {0};
    struct tls_certificate *one =
        tls_certificate_load(slice_from(made->pem), slice_from(made->key_pem), &why);

    assert_string_equal(why.text, "");
    assert_non_null(one);
    return one;
}

static int set_up(void **state)
{
    const struct made *made[] = {&world.shop, &world.shop_rsa, &world.wild, &world.other};

    (void)state;
    world.ca = make_certificate(MADE_EC, NULL, NULL, true, 30);
    world.shop =
        make_certificate(MADE_EC, "DNS:shop.example,DNS:www.Shop.example", &world.ca, false, 20);
    world.shop_rsa =
        make_certificate(MADE_RSA, "DNS:shop.example,DNS:www.shop.example", &world.ca, false, 20);
    world.wild = make_certificate(MADE_EC, "DNS:*.wild.example", &world.ca, false, 20);
    world.other = make_certificate(MADE_ED25519, "DNS:other.example", &world.ca, false, 20);
    for (int i = 0; i < 4; i++) {
        world.certificates[i] = load(made[i]);
        world.choices[i].certificate = world.certificates[i];
    }
    world.tickets = tls_tickets_new(1000);
    return 0;
}

static int tear_down(void **state)
{
    struct made *made[] = {&world.ca, &world.shop, &world.shop_rsa, &world.wild, &world.other};

    (void)state;
    for (int i = 0; i < 4; i++)
        tls_certificate_free(&world.certificates[i]);
    for (int i = 0; i < 5; i++)
        drop_made(made[i]);
    tls_tickets_free(&world.tickets);
    return 0;
}

static struct tls_server_options usual(void)
{
    return (struct tls_server_options){
        .name = "websecure",
        .choices = world.choices,
        .choice_count = 4,
        .profile = TLS_INTERMEDIATE,
        .alpn = TLS_ALPN_HTTP1,
        .tickets = world.tickets,
    };
}

static struct tls_server *serve(const struct tls_server_options *options)
{
    struct error why = {0};
    struct tls_server *server = tls_server_new(options, &why);

    assert_string_equal(why.text, "");
    return server;
}

static struct tls_server *serve_usual(void)
{
    struct tls_server_options options = usual();

    return serve(&options);
}

static void assert_gets(const struct tls_server *server, const char *name, const struct made *made)
{
    struct talk talk;
    X509 *shown;

    begin(&talk, server, name);
    assert_true(shake_hands(&talk));
    shown = SSL_get0_peer_certificate(talk.ssl);
    assert_int_equal(X509_cmp(shown, made->certificate), 0);
    end(&talk);
}

/* ---- names ---- */

static void a_name_gets_its_certificate(void **state)
{
    struct tls_server *server = serve_usual();

    (void)state;
    assert_gets(server, "shop.example", &world.shop);
    assert_gets(server, "WWW.SHOP.example", &world.shop);
    assert_gets(server, "a.wild.example", &world.wild);
    assert_gets(server, "other.example", &world.other);
    tls_server_free(&server);
}

static void an_unknown_name_gets_the_default(void **state)
{
    struct tls_server *server = serve_usual();

    (void)state;
    assert_gets(server, "unknown.example", &world.shop);
    assert_gets(server, "a.b.wild.example", &world.shop);
    assert_gets(server, "wild.example", &world.shop);
    assert_gets(server, NULL, &world.shop);
    tls_server_free(&server);
}

static void an_unknown_name_is_refused_where_that_is_asked_for(void **state)
{
    static const char *const names[] = {"unknown.example", "wild.example", NULL};
    struct tls_server_options options = usual();
    struct tls_server *server;

    (void)state;
    options.refuses_unknown = true;
    server = serve(&options);
    for (int i = 0; i < 3; i++) {
        struct talk talk;

        begin(&talk, server, names[i]);
        assert_false(shake_hands(&talk));
        assert_int_equal(tls_engine_state(talk.engine), TLS_FAILED);
        assert_string_equal(tls_engine_why(talk.engine),
                            "no certificate for the name that was asked for");
        end(&talk);
    }
    assert_gets(server, "shop.example", &world.shop);
    tls_server_free(&server);
}

static void names_that_are_configured_replace_those_of_the_certificate(void **state)
{
    static const char *const names[] = {"else.example"};
    struct tls_choice choices[] = {
        {.certificate = world.certificates[0]},
        {.certificate = world.certificates[3], .names = names, .name_count = 1}};
    struct tls_server_options options = usual();
    struct tls_server *server;

    (void)state;
    options.choices = choices;
    options.choice_count = 2;
    server = serve(&options);
    assert_gets(server, "else.example", &world.other);
    assert_gets(server, "other.example", &world.shop);
    tls_server_free(&server);
}

static void of_two_kinds_the_client_gets_the_one_that_it_understands(void **state)
{
    static const char *const names[] = {"shop.example", "unknown.example"};
    struct tls_server *server = serve_usual();

    (void)state;
    for (int i = 0; i < 2; i++) {
        struct talk talk;

        begin(&talk, server, names[i]);
        SSL_set1_sigalgs_list(talk.ssl, "RSA-PSS+SHA256:RSA+SHA256");
        assert_true(shake_hands(&talk));
        assert_int_equal(X509_cmp(SSL_get0_peer_certificate(talk.ssl), world.shop_rsa.certificate),
                         0);
        end(&talk);
    }
    tls_server_free(&server);
}

static void a_thousand_certificates_are_found_by_name(void **state)
{
    enum { MANY = 1000 };
    static char names[MANY][32];
    static const char *pointers[MANY];
    static struct tls_choice choices[MANY];
    struct tls_server_options options = usual();
    struct tls_server *server;

    (void)state;
    for (int i = 0; i < MANY; i++) {
        (void)snprintf(names[i], sizeof(names[i]), "n%d.example", i);
        pointers[i] = names[i];
        choices[i] = (struct tls_choice){
            .certificate = world.certificates[i % 4], .names = &pointers[i], .name_count = 1};
    }
    options.choices = choices;
    options.choice_count = MANY;
    server = serve(&options);
    assert_gets(server, "n998.example", &world.wild);
    assert_gets(server, "n999.example", &world.other);
    tls_server_free(&server);
}

/* ---- what is spoken ---- */

static void both_versions_are_spoken_and_no_older_one(void **state)
{
    static const struct {
        int version;
        const char *word; /* NULL: refused */
    } cases[] = {{TLS1_3_VERSION, "TLSv1.3"}, {TLS1_2_VERSION, "TLSv1.2"}, {TLS1_1_VERSION, NULL}};
    struct tls_server *server = serve_usual();

    (void)state;
    for (size_t i = 0; i < 3; i++) {
        struct talk talk;

        begin(&talk, server, "shop.example");
        SSL_set_min_proto_version(talk.ssl, TLS1_VERSION);
        SSL_set_max_proto_version(talk.ssl, cases[i].version);
        SSL_set_security_level(talk.ssl, 0);
        assert_int_equal(shake_hands(&talk), cases[i].word != NULL);
        if (cases[i].word != NULL)
            assert_string_equal(tls_engine_version(talk.engine), cases[i].word);
        end(&talk);
    }
    tls_server_free(&server);
}

static void the_modern_profile_speaks_the_newest_version_only(void **state)
{
    struct tls_server_options options = usual();
    struct tls_server *server;
    struct talk talk;

    (void)state;
    options.profile = TLS_MODERN;
    server = serve(&options);
    begin(&talk, server, "shop.example");
    SSL_set_max_proto_version(talk.ssl, TLS1_2_VERSION);
    assert_false(shake_hands(&talk));
    end(&talk);
    assert_gets(server, "shop.example", &world.shop);
    tls_server_free(&server);
}

static void a_protocol_is_agreed_on(void **state)
{
    static const struct {
        unsigned offered_by_us;
        const char *offered;
        unsigned agreed;
        bool works;
    } cases[] = {
        {TLS_ALPN_HTTP1, "\x08http/1.1", TLS_ALPN_HTTP1, true},
        {TLS_ALPN_HTTP1, "\x02h2\x08http/1.1", TLS_ALPN_HTTP1, true},
        {TLS_ALPN_H2 | TLS_ALPN_HTTP1, "\x08http/1.1\x02h2", TLS_ALPN_H2, true},
        {TLS_ALPN_HTTP1, NULL, 0, true},
        {TLS_ALPN_HTTP1, "\x02h3", 0, false},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct tls_server_options options = usual();
        struct tls_server *server;
        struct talk talk;

        options.alpn = cases[i].offered_by_us;
        server = serve(&options);
        begin(&talk, server, "shop.example");
        if (cases[i].offered != NULL)
            SSL_set_alpn_protos(talk.ssl, (const unsigned char *)cases[i].offered,
                                (unsigned)strlen(cases[i].offered));
        assert_int_equal(shake_hands(&talk), cases[i].works);
        if (cases[i].works)
            assert_int_equal(tls_engine_protocol(talk.engine), cases[i].agreed);
        else
            assert_string_equal(tls_engine_why(talk.engine), "no protocol in common (ALPN)");
        end(&talk);
        tls_server_free(&server);
    }
}

/* ---- bytes ---- */

static void bytes_go_both_ways_however_they_are_cut(void **state)
{
    static char sent[100000], got[sizeof(sent)];
    static const size_t steps[] = {0, 1, 7, 1000};
    struct tls_server *server = serve_usual();

    (void)state;
    for (size_t i = 0; i < sizeof(sent); i++)
        sent[i] = (char)(i * 31 + i / 251);
    for (size_t i = 0; i < 4; i++) {
        struct talk talk;

        begin(&talk, server, "shop.example");
        talk.step = steps[i];
        assert_true(shake_hands(&talk));
        assert_int_equal(SSL_write(talk.ssl, sent, sizeof(sent)), (int)sizeof(sent));
        feed_server(&talk);
        assert_int_equal(talk.plain_bytes, sizeof(sent));
        assert_memory_equal(talk.plain, sent, sizeof(sent));
        assert_true(tls_engine_send(talk.engine, slice_of(sent, sizeof(sent))));
        assert_int_equal(read_client(&talk, got, sizeof(got)), sizeof(got));
        assert_memory_equal(got, sent, sizeof(sent));
        end(&talk);
    }
    tls_server_free(&server);
}

static void what_came_with_the_end_of_the_handshake_is_not_lost(void **state)
{
    struct tls_server *server = serve_usual();
    struct talk talk;

    (void)state;
    begin(&talk, server, "shop.example");
    assert_true(SSL_do_handshake(talk.ssl) != 1);
    feed_server(&talk);
    assert_int_equal(SSL_do_handshake(talk.ssl), 1);
    assert_int_equal(SSL_write(talk.ssl, "GET /", 5), 5);
    feed_server(&talk); /* Finished and the request together */
    assert_int_equal(talk.plain_bytes, 5);
    assert_memory_equal(talk.plain, "GET /", 5);
    end(&talk);
    tls_server_free(&server);
}

static void each_side_says_when_it_has_ended(void **state)
{
    struct tls_server *server = serve_usual();
    struct talk talk;
    char byte;

    (void)state;
    begin(&talk, server, "shop.example");
    assert_true(shake_hands(&talk));
    tls_engine_end(talk.engine);
    assert_int_equal(SSL_read(talk.ssl, &byte, 1), 0);
    assert_int_equal(SSL_get_shutdown(talk.ssl) & SSL_RECEIVED_SHUTDOWN, SSL_RECEIVED_SHUTDOWN);
    SSL_shutdown(talk.ssl);
    feed_server(&talk);
    assert_int_equal(tls_engine_state(talk.engine), TLS_ENDED);
    end(&talk);
    tls_server_free(&server);
}

static void garbage_fails_and_clear_text_is_known(void **state)
{
    static const char http[] = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
    static const char noise[] = "\x16\x03\x01\x00\x05\x01\x00\x00\x01\x00 and more of this";
    struct tls_server *server = serve_usual();
    char out[sizeof(http) + TLS_HELD_BYTES];
    struct talk talk;

    (void)state;
    begin(&talk, server, NULL);
    assert_int_equal(tls_engine_feed(talk.engine, slice_from(http), out), 0);
    assert_int_equal(tls_engine_state(talk.engine), TLS_FAILED);
    assert_true(tls_engine_was_http(talk.engine));
    end(&talk);
    begin(&talk, server, NULL);
    assert_int_equal(tls_engine_feed(talk.engine, slice_of(noise, sizeof(noise) - 1), out), 0);
    assert_int_equal(tls_engine_state(talk.engine), TLS_FAILED);
    assert_false(tls_engine_was_http(talk.engine));
    assert_true(strlen(tls_engine_why(talk.engine)) > 0);
    assert_false(tls_engine_send(talk.engine, SLICE("x")));
    end(&talk);
    tls_server_free(&server);
}

/* ---- sessions ---- */

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

/* ---- certificates of clients ---- */

static void show(struct talk *talk, const struct made *made)
{
    SSL_use_certificate(talk->ssl, made->certificate);
    SSL_use_PrivateKey(talk->ssl, made->key);
}

static void a_client_is_asked_for_its_certificate(void **state)
{
    struct made ann =
        make_certificate(MADE_EC, "email:ann@example.com,DNS:ann.people", &world.ca, false, 10);
    struct made stranger = make_certificate(MADE_EC, "DNS:ann.people", NULL, false, 10);
    struct tls_server_options options = usual();
    static const enum tls_client_auth modes[] = {TLS_CLIENT_AUTH_REQUEST, TLS_CLIENT_AUTH_REQUIRE};

    (void)state;
    options.client_ca_pem = slice_from(world.ca.pem);
    for (int i = 0; i < 2; i++) {
        struct tls_identity identity;
        struct tls_server *server;
        struct talk talk;
        char byte;

        options.client_auth = modes[i];
        server = serve(&options);
        begin(&talk, server, "shop.example");
        show(&talk, &ann);
        assert_true(shake_hands(&talk));
        assert_true(tls_engine_identity(talk.engine, &identity));
        assert_non_null(strstr(identity.subject, "CN=made"));
        assert_int_equal(strlen(identity.fingerprint), 64);
        assert_true(tls_engine_identity_has_name(talk.engine, "ann@example.com"));
        assert_true(tls_engine_identity_has_name(talk.engine, "ANN.people"));
        assert_false(tls_engine_identity_has_name(talk.engine, "bob.people"));
        end(&talk);

        begin(&talk, server, "shop.example"); /* shows none */
        (void)shake_hands(&talk);
        assert_int_equal(tls_engine_state(talk.engine),
                         modes[i] == TLS_CLIENT_AUTH_REQUEST ? TLS_OPEN : TLS_FAILED);
        assert_false(tls_engine_identity(talk.engine, &identity));
        end(&talk);

        begin(&talk, server, "shop.example");
        show(&talk, &stranger);
        (void)shake_hands(&talk);
        (void)SSL_read(talk.ssl, &byte, 1);
        assert_int_equal(tls_engine_state(talk.engine), TLS_FAILED);
        assert_false(tls_engine_identity(talk.engine, &identity));
        end(&talk);
        tls_server_free(&server);
    }
    drop_made(&ann);
    drop_made(&stranger);
}

static void a_resumed_session_keeps_who_the_client_is(void **state)
{
    struct made ann = make_certificate(MADE_EC, "DNS:ann.people", &world.ca, false, 10);
    struct tls_server_options options = usual();
    struct tls_identity identity;
    struct tls_server *server;
    SSL_SESSION *session;
    struct talk talk;
    char byte;

    (void)state;
    options.client_ca_pem = slice_from(world.ca.pem);
    options.client_auth = TLS_CLIENT_AUTH_REQUIRE;
    server = serve(&options);
    begin(&talk, server, "shop.example");
    show(&talk, &ann);
    assert_true(shake_hands(&talk));
    (void)SSL_read(talk.ssl, &byte, 1);
    session = SSL_get1_session(talk.ssl);
    end(&talk);
    begin(&talk, server, "shop.example");
    SSL_set_session(talk.ssl, session);
    assert_true(shake_hands(&talk));
    assert_true(tls_engine_is_resumed(talk.engine));
    assert_true(tls_engine_identity(talk.engine, &identity));
    end(&talk);
    SSL_SESSION_free(session);
    tls_server_free(&server);
    drop_made(&ann);
}

static void append_name(void *context, const char *name)
{
    buffer_printf(context, "%s ", name);
}

static void a_certificate_is_looked_at_again(void **state)
{
    struct made ann = make_certificate(
        MADE_EC, "email:ann@example.com,DNS:ann.people,URI:https://ann/,IP:192.0.2.1,DNS:a b",
        &world.ca, false, 10);
    struct made other_ca = make_certificate(MADE_EC, NULL, NULL, true, 10);
    struct tls_server_options options = usual();
    struct tls_server *server, *both, *other, *nobody;
    struct buffer names;
    struct talk talk;
    const char *why = "";
    char *two;

    (void)state;
    buffer_init(&names);
    nobody = serve(&options);
    options.client_auth = TLS_CLIENT_AUTH_REQUEST;
    options.client_ca_pem = slice_from(world.ca.pem);
    server = serve(&options);
    options.client_ca_pem = slice_from(other_ca.pem);
    other = serve(&options);
    two = calloc(strlen(world.ca.pem) + strlen(other_ca.pem) + 1, 1);
    (void)sprintf(two, "%s%s", other_ca.pem, world.ca.pem);
    options.client_ca_pem = slice_from(two);
    both = serve(&options);

    begin(&talk, server, "shop.example");
    show(&talk, &ann);
    assert_true(shake_hands(&talk));
    assert_int_equal(tls_engine_belief(talk.engine, server, &why), TLS_BELIEVED);
    assert_int_equal(tls_engine_belief(talk.engine, both, &why), TLS_BELIEVED);
    assert_string_equal(why, "");
    assert_int_equal(tls_engine_belief(talk.engine, other, &why), TLS_NOT_BELIEVED);
    assert_string_equal(why, "unable to get local issuer certificate");
    assert_int_equal(tls_engine_belief(talk.engine, nobody, &why), TLS_NOT_BELIEVED);
    tls_engine_each_name(talk.engine, append_name, &names);
    assert_string_equal(buffer_text(&names), "ann@example.com ann.people https://ann/ ");
    assert_true(tls_engine_is_for(talk.engine, SLICE("shop.example")));
    assert_false(tls_engine_is_for(talk.engine, SLICE("evil.example")));
    assert_false(tls_engine_is_for(talk.engine, SLICE("")));
    end(&talk);

    begin(&talk, server, "shop.example"); /* shows none */
    assert_true(shake_hands(&talk));
    assert_int_equal(tls_engine_belief(talk.engine, server, &why), TLS_SHOWN_NONE);
    tls_engine_each_name(talk.engine, append_name, &names);
    end(&talk);

    buffer_fini(&names);
    free(two);
    tls_server_free(&server);
    tls_server_free(&both);
    tls_server_free(&other);
    tls_server_free(&nobody);
    drop_made(&ann);
    drop_made(&other_ca);
}

static void who_has_ended_still_hears_the_answer(void **state)
{
    struct tls_server_options options = usual();
    struct tls_server *server = serve(&options);
    struct talk talk;
    char got[64];

    (void)state;
    begin(&talk, server, "shop.example");
    assert_true(shake_hands(&talk));
    assert_int_equal(SSL_write(talk.ssl, "ask", 3), 3);
    assert_int_equal(SSL_shutdown(talk.ssl), 0);
    feed_server(&talk);
    assert_int_equal(tls_engine_state(talk.engine), TLS_ENDED);
    assert_int_equal(talk.plain_bytes, 3);
    assert_true(tls_engine_send(talk.engine, SLICE("answer")));
    SSL_set_shutdown(talk.ssl, 0); /* else OpenSSL's client does not read any more */
    assert_int_equal(read_client(&talk, got, sizeof(got)), 6);
    tls_engine_end(talk.engine);
    assert_false(tls_engine_send(talk.engine, SLICE("more")));
    end(&talk);
    tls_server_free(&server);
}

/* ---- towards a server: both ends are ours ---- */

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

/* ---- messages that carry nothing ---- */

static void renew_keys(struct talk *talk)
{
    assert_int_equal(SSL_key_update(talk->ssl, SSL_KEY_UPDATE_REQUESTED), 1);
    assert_int_equal(SSL_do_handshake(talk->ssl), 1);
    feed_server(talk);
}

static void say(struct talk *talk, const char *text)
{
    assert_int_equal(SSL_write(talk->ssl, text, (int)strlen(text)), (int)strlen(text));
    feed_server(talk);
}

static void keys_are_renewed_as_often_as_there_is_something_said(void **state)
{
    struct tls_server *server = serve_usual();
    struct talk talk;

    (void)state;
    begin(&talk, server, "shop.example");
    assert_true(shake_hands(&talk));
    for (int i = 0; i < 100; i++) {
        for (int k = 0; k < 10; k++)
            renew_keys(&talk);
        say(&talk, "x");
    }
    assert_int_equal(tls_engine_state(talk.engine), TLS_OPEN);
    assert_int_equal(talk.plain_bytes, 100);
    end(&talk);
    tls_server_free(&server);
}

static void who_only_renews_keys_is_cut_off(void **state)
{
    struct tls_server *server = serve_usual();
    struct talk talk;

    (void)state;
    begin(&talk, server, "shop.example");
    assert_true(shake_hands(&talk));
    for (int i = 0; i < 100; i++)
        renew_keys(&talk);
    assert_int_equal(tls_engine_state(talk.engine), TLS_FAILED);
    assert_string_equal(tls_engine_why(talk.engine), "messages of TLS, and nothing said");
    end(&talk);
    tls_server_free(&server);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_name_gets_its_certificate),
        cmocka_unit_test(an_unknown_name_gets_the_default),
        cmocka_unit_test(an_unknown_name_is_refused_where_that_is_asked_for),
        cmocka_unit_test(names_that_are_configured_replace_those_of_the_certificate),
        cmocka_unit_test(of_two_kinds_the_client_gets_the_one_that_it_understands),
        cmocka_unit_test(a_thousand_certificates_are_found_by_name),
        cmocka_unit_test(both_versions_are_spoken_and_no_older_one),
        cmocka_unit_test(the_modern_profile_speaks_the_newest_version_only),
        cmocka_unit_test(a_protocol_is_agreed_on),
        cmocka_unit_test(bytes_go_both_ways_however_they_are_cut),
        cmocka_unit_test(what_came_with_the_end_of_the_handshake_is_not_lost),
        cmocka_unit_test(each_side_says_when_it_has_ended),
        cmocka_unit_test(garbage_fails_and_clear_text_is_known),
        cmocka_unit_test(keys_are_renewed_as_often_as_there_is_something_said),
        cmocka_unit_test(who_only_renews_keys_is_cut_off),
        cmocka_unit_test(sessions_outlive_a_reload_and_a_rotation),
        cmocka_unit_test(only_handshakes_without_a_session_are_asked_for_and_once),
        cmocka_unit_test(a_key_is_not_rotated_before_its_time_but_when_the_clock_went_back),
        cmocka_unit_test(a_session_of_one_listener_is_none_at_another),
        cmocka_unit_test(tickets_lie_in_the_state_directory),
        cmocka_unit_test(a_client_is_asked_for_its_certificate),
        cmocka_unit_test(a_certificate_is_looked_at_again),
        cmocka_unit_test(who_has_ended_still_hears_the_answer),
        cmocka_unit_test(a_resumed_session_keeps_who_the_client_is),
        cmocka_unit_test(a_server_is_believed_by_name_and_authority),
        cmocka_unit_test(a_session_with_a_server_is_taken_up_again),
        cmocka_unit_test(a_context_lives_as_long_as_its_connections),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
