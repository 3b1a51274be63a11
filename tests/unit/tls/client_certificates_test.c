/* Who is let in by his certificate, and whether he still would be. */
#include "tests/unit/tls/talk.h"

#include "base/buffer.h"

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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_client_is_asked_for_its_certificate),
        cmocka_unit_test(a_resumed_session_keeps_who_the_client_is),
        cmocka_unit_test(a_certificate_is_looked_at_again),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
