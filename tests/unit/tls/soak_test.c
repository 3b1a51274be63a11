/*
 * Thousands of handshakes, full, resumed, and broken off after each number of bytes: nothing is
 * kept.  Under the address sanitizer a leak ends the test; TWOKEY_HANDSHAKES sets how many
 * (2,000), and each other build holds the resident memory against what it was in the middle.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include <openssl/ssl.h>
#include <unistd.h>

#include "base/error.h"
#include "base/memory.h"
#include "tests/unit/tls/certificates.h"
#include "tls/certificate.h"
#include "tls/context.h"
#include "tls/engine.h"
#include "tls/tickets.h"

static struct made ca, shop;
static struct tls_certificate *certificate;
static struct tls_tickets *tickets;
static struct tls_server *server;
static SSL_CTX *clients[2]; /* 1.2, 1.3 */

static int set_up(void **state)
{
    static const int versions[] = {TLS1_2_VERSION, TLS1_3_VERSION};
    struct tls_choice choice = {0};
    struct tls_server_options options = {.name = "soak",
                                         .choices = &choice,
                                         .choice_count = 1,
                                         .profile = TLS_INTERMEDIATE,
                                         .alpn = TLS_ALPN_H2 | TLS_ALPN_HTTP1};
    struct error why = {0};

    (void)state;
    ca = make_certificate(MADE_EC, NULL, NULL, true, 30);
    shop = make_certificate(MADE_EC, "DNS:shop.example", &ca, false, 20);
    certificate = tls_certificate_load(slice_from(shop.pem), slice_from(shop.key_pem), &why);
    assert_non_null(certificate);
    choice.certificate = certificate;
    tickets = tls_tickets_new(1000);
    options.tickets = tickets;
    server = tls_server_new(&options, &why);
    assert_non_null(server);
    for (int i = 0; i < 2; i++) {
        clients[i] = SSL_CTX_new(TLS_client_method());
        SSL_CTX_set_max_proto_version(clients[i], versions[i]);
    }
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    tls_server_free(&server);
    tls_certificate_free(&certificate);
    tls_tickets_free(&tickets);
    SSL_CTX_free(clients[0]);
    SSL_CTX_free(clients[1]);
    drop_made(&ca);
    drop_made(&shop);
    return 0;
}

static void to_client(void *context, struct slice bytes)
{
    (void)BIO_write(context, bytes.at, (int)bytes.len);
}

/* Feeds at most `most` bytes of the client's; the session that came of it, or NULL. */
static SSL_SESSION *visit(SSL_CTX *context, SSL_SESSION *session, size_t most, bool *was_resumed)
{
    static char plain[65536 + TLS_HELD_BYTES];
    SSL *ssl = SSL_new(context);
    BIO *in = BIO_new(BIO_s_mem()), *out = BIO_new(BIO_s_mem());
    struct tls_engine *engine = tls_engine_accept(server, to_client, in);
    SSL_SESSION *got = NULL;
    char bytes[65536];

    SSL_set_bio(ssl, in, out);
    SSL_set_connect_state(ssl);
    if (session != NULL)
        SSL_set_session(ssl, session);
    for (int turn = 0; turn < 4; turn++) {
        int count;

        (void)SSL_do_handshake(ssl);
        while (most > 0 && (count = BIO_read(out, bytes, (int)sizeof(bytes))) > 0) {
            size_t part = (size_t)count < most ? (size_t)count : most;

            (void)tls_engine_feed(engine, slice_of(bytes, part), plain);
            most -= part;
        }
    }
    if (tls_engine_state(engine) == TLS_OPEN) {
        (void)tls_engine_send(engine, SLICE("hello"));
        (void)SSL_read(ssl, bytes, sizeof(bytes));
        *was_resumed = tls_engine_is_resumed(engine);
        tls_engine_end(engine);
        got = SSL_get1_session(ssl);
    }
    tls_engine_free(&engine);
    SSL_set_shutdown(ssl, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
    SSL_free(ssl);
    return got;
}

static long resident_kib(void)
{
    FILE *file = fopen("/proc/self/statm", "r");
    long size = 0, resident = 0;

    assert_non_null(file);
    assert_int_equal(fscanf(file, "%ld %ld", &size, &resident), 2);
    (void)fclose(file);
    return resident * (sysconf(_SC_PAGESIZE) / 1024);
}

static void round_of(unsigned number, unsigned *full, unsigned *resumed, unsigned *broken)
{
    SSL_CTX *context = clients[number % 2];
    bool was_resumed = false;
    SSL_SESSION *first = visit(context, NULL, SIZE_MAX, &was_resumed);
    SSL_SESSION *second;

    assert_non_null(first);
    assert_false(was_resumed);
    *full += 1;
    second = visit(context, first, SIZE_MAX, &was_resumed);
    *resumed += was_resumed;
    SSL_SESSION_free(second);
    /* a hello has some 300 bytes; what follows it fewer */
    second = visit(context, number % 3 == 0 ? first : NULL, number % 420, &was_resumed);
    *broken += second == NULL;
    SSL_SESSION_free(second);
    SSL_SESSION_free(first);
}

static void nothing_is_kept_of_a_handshake(void **state)
{
    const char *wanted = getenv("TWOKEY_HANDSHAKES");
    unsigned long handshakes = wanted != NULL ? strtoul(wanted, NULL, 10) : 2000;
    unsigned rounds = (unsigned)(handshakes / 3) + 2, full = 0, resumed = 0, broken = 0;
    long half_kib = 0;

    (void)state;
    for (unsigned i = 0; i < rounds; i++) {
        if (i == rounds / 2)
            half_kib = resident_kib();
        round_of(i, &full, &resumed, &broken);
    }
    printf(
        "%u full, %u resumed, %u broken off; resident memory %ld KiB, after half of it %ld KiB\n",
        full, resumed, broken, resident_kib(), half_kib);
    assert_int_equal(resumed, rounds);
    assert_true(broken > rounds / 2);
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
    assert_in_range(resident_kib(), 0, half_kib + 1024);
#endif
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(nothing_is_kept_of_a_handshake)};

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
