/*
 * talk - a server's engine with certificates that are made up, and OpenSSL as its client, in
 * memory.
 *
 * Threads  the first
 */
#ifndef TESTS_UNIT_TLS_TALK_H
#define TESTS_UNIT_TLS_TALK_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include <openssl/ssl.h>

#include "base/error.h"
#include "tests/unit/tls/certificates.h"
#include "tls/certificate.h"
#include "tls/context.h"
#include "tls/engine.h"
#include "tls/tickets.h"

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

static __attribute__((unused)) void to_client(void *context, struct slice bytes)
{
    struct talk *talk = context;

    assert_int_equal(BIO_write(talk->to_client, bytes.at, (int)bytes.len), (int)bytes.len);
}

static __attribute__((unused)) void begin(struct talk *talk, const struct tls_server *server,
                                          const char *name)
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

static __attribute__((unused)) void end(struct talk *talk)
{
    tls_engine_free(&talk->engine);
    /* else its session counts as broken */
    SSL_set_shutdown(talk->ssl, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
    SSL_free(talk->ssl);
    SSL_CTX_free(talk->context);
}

static __attribute__((unused)) void feed_server(struct talk *talk)
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
static __attribute__((unused)) bool shake_hands(struct talk *talk)
{
    int done = 0;

    for (int i = 0; i < 10 && done != 1; i++) {
        done = SSL_do_handshake(talk->ssl);
        feed_server(talk);
    }
    return done == 1 && tls_engine_state(talk->engine) == TLS_OPEN;
}

static __attribute__((unused)) size_t read_client(struct talk *talk, char *out, size_t room)
{
    size_t total = 0, count;

    while (total < room && SSL_read_ex(talk->ssl, out + total, room - total, &count) == 1)
        total += count;
    return total;
}

/* ---- a server ---- */

static struct world {
    struct made ca, shop, shop_rsa, wild, other;
    struct tls_certificate *certificates[4];
    struct tls_choice choices[4];
    struct tls_tickets *tickets;
} world;

static __attribute__((unused)) struct tls_certificate *load(const struct made *made)
{
    struct error why = {0};
    struct tls_certificate *one =
        tls_certificate_load(slice_from(made->pem), slice_from(made->key_pem), &why);

    assert_string_equal(why.text, "");
    assert_non_null(one);
    return one;
}

static __attribute__((unused)) int set_up(void **state)
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

static __attribute__((unused)) int tear_down(void **state)
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

static __attribute__((unused)) struct tls_server_options usual(void)
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

static __attribute__((unused)) struct tls_server *serve(const struct tls_server_options *options)
{
    struct error why = {0};
    struct tls_server *server = tls_server_new(options, &why);

    assert_string_equal(why.text, "");
    return server;
}

static __attribute__((unused)) struct tls_server *serve_usual(void)
{
    struct tls_server_options options = usual();

    return serve(&options);
}

static __attribute__((unused)) void assert_gets(const struct tls_server *server, const char *name,
                                                const struct made *made)
{
    struct talk talk;
    X509 *shown;

    begin(&talk, server, name);
    assert_true(shake_hands(&talk));
    shown = SSL_get0_peer_certificate(talk.ssl);
    assert_int_equal(X509_cmp(shown, made->certificate), 0);
    end(&talk);
}

#endif
