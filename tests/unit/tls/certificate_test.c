/*
 * Certificates and keys as they are found on disk: good ones, and the ways in which they are not.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/memory.h"
#include "tests/unit/tls/certificates.h"
#include "tls/certificate.h"
#include "tls/self_signed.h"

static struct tls_certificate *load(const char *chain, const char *key, struct error *why)
{
    *why = (struct error){0};
    return tls_certificate_load(slice_from(chain), slice_from(key), why);
}

static void assert_refused(const char *chain, const char *key, const char *says)
{
    struct error why;
    struct tls_certificate *one = load(chain, key, &why);

    assert_null(one);
    assert_non_null(strstr(why.text, says));
}

static void a_certificate_says_what_it_is_for(void **state)
{
    struct made ca = make_certificate(MADE_EC, NULL, NULL, true, 5);
    struct made made = make_certificate(MADE_RSA, "DNS:Shop.example,DNS:*.shop.example,IP:10.0.0.1",
                                        &ca, false, 9);
    struct error why;
    struct tls_certificate *one;
    const struct tls_certificate_facts *facts;
    char chain[8192];

    (void)state;
    (void)snprintf(chain, sizeof(chain), "%s%s", made.pem, ca.pem);
    one = load(chain, made.key_pem, &why);
    assert_non_null(one);
    facts = tls_certificate_facts(one);
    assert_int_equal(facts->kind, TLS_KEY_RSA);
    assert_int_equal(facts->name_count, 2);
    assert_string_equal(facts->names[0], "shop.example");
    assert_string_equal(facts->names[1], "*.shop.example");
    assert_int_equal(facts->address_count, 1);
    assert_string_equal(facts->addresses[0], "10.0.0.1");
    assert_int_equal(facts->chain_count, 2);
    assert_true(facts->is_chain_in_order);
    assert_false(facts->is_self_signed);
    /* the authority ends before the certificate */
    assert_true(facts->not_after_ms - facts->not_before_ms <= 7 * 86400000LL + 5000);
    tls_certificate_free(&one);
    drop_made(&made);
    drop_made(&ca);
}

static void a_chain_out_of_order_is_told(void **state)
{
    struct made ca = make_certificate(MADE_EC, NULL, NULL, true, 5);
    struct made made = make_certificate(MADE_EC, "DNS:a.example", &ca, false, 9);
    struct made stranger = make_certificate(MADE_EC, NULL, NULL, true, 5);
    struct error why;
    struct tls_certificate *one;
    char chain[8192];

    (void)state;
    (void)snprintf(chain, sizeof(chain), "%s%s", made.pem, stranger.pem);
    one = load(chain, made.key_pem, &why);
    assert_false(tls_certificate_facts(one)->is_chain_in_order);
    tls_certificate_free(&one);
    one = load(stranger.pem, stranger.key_pem, &why);
    assert_true(tls_certificate_facts(one)->is_self_signed);
    tls_certificate_free(&one);
    drop_made(&made);
    drop_made(&stranger);
    drop_made(&ca);
}

static void a_trial_is_signed_by_its_authority_and_ends_when_it_should(void **state)
{
    struct tls_self_signed authority, shop;
    struct error why;
    struct tls_certificate *one;
    const struct tls_certificate_facts *facts;
    char chain[8192];

    (void)state;
    assert_true(tls_trial_make("drill", 3600, NULL, &authority, &why));
    assert_true(tls_trial_make("shop.example", 20, &authority, &shop, &why));
    (void)snprintf(chain, sizeof(chain), "%s%s", shop.certificate, authority.certificate);
    one = load(chain, shop.key, &why);
    facts = tls_certificate_facts(one);
    assert_true(facts->is_chain_in_order);
    assert_false(facts->is_self_signed);
    assert_int_equal(facts->name_count, 1);
    assert_string_equal(facts->names[0], "shop.example");
    assert_in_range(facts->not_after_ms - clock_wall_ms(), 15000, 20000);
    tls_certificate_free(&one);
    tls_self_signed_free(&shop);
    tls_self_signed_free(&authority);
}

static void what_does_not_belong_together_is_refused(void **state)
{
    struct made made = make_certificate(MADE_EC, "DNS:a.example", NULL, false, 9);
    struct made other = make_certificate(MADE_EC, "DNS:a.example", NULL, false, 9);

    (void)state;
    assert_refused(made.pem, other.key_pem, "belongs to another certificate");
    assert_refused("", made.key_pem, "no certificate");
    assert_refused(made.key_pem, made.key_pem, "no certificate");
    assert_refused(made.pem, "", "no private key");
    assert_refused(made.pem, made.pem, "no private key");
    assert_refused("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", made.key_pem,
                   "no certificate");
    drop_made(&made);
    drop_made(&other);
}

static void a_key_with_a_passphrase_is_refused_without_asking(void **state)
{
    struct made made = make_certificate(MADE_EC, "DNS:a.example", NULL, false, 9);
    BIO *bio = BIO_new(BIO_s_mem());
    char *sealed;

    (void)state;
    PEM_write_bio_PrivateKey(bio, made.key, EVP_aes_256_cbc(), (const unsigned char *)"secret", 6,
                             NULL, NULL);
    sealed = pem_of(bio);
    assert_refused(made.pem, sealed, "passphrase");
    free(sealed);
    drop_made(&made);
}

static void a_wildcard_covers_one_label(void **state)
{
    (void)state;
    assert_true(tls_name_covers("a.example", SLICE("a.example")));
    assert_false(tls_name_covers("a.example", SLICE("b.example")));
    assert_true(tls_name_covers("*.example", SLICE("a.example")));
    assert_false(tls_name_covers("*.example", SLICE("a.b.example")));
    assert_false(tls_name_covers("*.example", SLICE("example")));
    assert_false(tls_name_covers("*.example", SLICE(".example")));
    assert_false(tls_name_covers("*.example", SLICE("")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_certificate_says_what_it_is_for),
        cmocka_unit_test(a_chain_out_of_order_is_told),
        cmocka_unit_test(a_trial_is_signed_by_its_authority_and_ends_when_it_should),
        cmocka_unit_test(what_does_not_belong_together_is_refused),
        cmocka_unit_test(a_key_with_a_passphrase_is_refused_without_asking),
        cmocka_unit_test(a_wildcard_covers_one_label),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
