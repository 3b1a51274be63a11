/*
 * The engine against OpenSSL as a client, in memory: who gets which certificate, what is spoken,
 * how bytes pass.
 */
#include "tests/unit/tls/talk.h"

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
        cmocka_unit_test(who_has_ended_still_hears_the_answer),
        cmocka_unit_test(keys_are_renewed_as_often_as_there_is_something_said),
        cmocka_unit_test(who_only_renews_keys_is_cut_off),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
