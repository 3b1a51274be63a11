/*
 * A staple is shown only while it holds: by whom, of what, until when.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include <openssl/ocsp.h>

#include "base/error.h"
#include "tests/unit/tls/certificates.h"
#include "tls/certificate.h"
#include "tls/staple.h"

#define HOUR_MS (3600 * INT64_C(1000))

static struct made ca, shop, blog, stranger;
static struct tls_certificate *subject;
static int64_t now_ms;

static int set_up(void **state)
{
    char both[8192];
    struct error why = {0};

    (void)state;
    ca = make_certificate(MADE_EC, NULL, NULL, true, 30);
    stranger = make_certificate(MADE_EC, NULL, NULL, true, 30);
    shop = make_certificate(MADE_EC, "DNS:shop.example", &ca, false, 20);
    blog = make_certificate(MADE_EC, "DNS:blog.example", &ca, false, 20);
    (void)snprintf(both, sizeof(both), "%s%s", shop.pem, ca.pem);
    subject = tls_certificate_load_public(slice_from(both), &why);
    assert_non_null(subject);
    now_ms = (int64_t)time(NULL) * 1000;
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    tls_certificate_free(&subject);
    drop_made(&ca);
    drop_made(&stranger);
    drop_made(&shop);
    drop_made(&blog);
    return 0;
}

struct wanted {
    const struct made *about;
    const struct made *signer;
    int status;
    int64_t from_ms, until_ms; /* from now; until 0: it does not say */
    const EVP_MD *digest;
};

/* What tls_staple_check() makes of such a response: "" where it is good. */
static const char *judge(const struct wanted *wanted, struct tls_staple_facts *facts)
{
    static struct error why;
    OCSP_BASICRESP *basic = OCSP_BASICRESP_new();
    OCSP_CERTID *id = OCSP_cert_to_id(wanted->digest, wanted->about->certificate, ca.certificate);
    ASN1_TIME *from = ASN1_TIME_set(NULL, (time_t)((now_ms + wanted->from_ms) / 1000));
    ASN1_TIME *until = ASN1_TIME_set(NULL, (time_t)((now_ms + wanted->until_ms) / 1000));
    ASN1_TIME *revoked = ASN1_TIME_set(NULL, (time_t)(now_ms / 1000) - 60);
    OCSP_RESPONSE *response;
    unsigned char *der = NULL;
    int len;
    bool ok;

    assert_non_null(
        OCSP_basic_add1_status(basic, id, wanted->status, OCSP_REVOKED_STATUS_KEYCOMPROMISE,
                               wanted->status == V_OCSP_CERTSTATUS_REVOKED ? revoked : NULL, from,
                               wanted->until_ms != 0 ? until : NULL));
    assert_int_equal(OCSP_basic_sign(basic, wanted->signer->certificate, wanted->signer->key,
                                     EVP_sha256(), NULL, 0),
                     1);
    response = OCSP_response_create(OCSP_RESPONSE_STATUS_SUCCESSFUL, basic);
    len = i2d_OCSP_RESPONSE(response, &der);
    assert_true(len > 0);
    why = (struct error){0};
    ok = tls_staple_check(subject, slice_of((char *)der, (size_t)len), now_ms, facts, &why);
    assert_int_equal(ok, why.text[0] == '\0');
    /* cut anywhere it is nothing */
    for (int cut = 0; cut < len; cut += 7)
        assert_false(tls_staple_check(subject, slice_of((char *)der, (size_t)cut), now_ms,
                                      &(struct tls_staple_facts){0}, &(struct error){0}));
    OPENSSL_free(der);
    OCSP_RESPONSE_free(response);
    OCSP_BASICRESP_free(basic);
    OCSP_CERTID_free(id);
    ASN1_TIME_free(from);
    ASN1_TIME_free(until);
    ASN1_TIME_free(revoked);
    return why.text;
}

static struct wanted good(void)
{
    return (struct wanted){&shop, &ca, V_OCSP_CERTSTATUS_GOOD, -HOUR_MS, HOUR_MS, EVP_sha1()};
}

static void a_response_that_holds_is_good(void **state)
{
    struct tls_staple_facts facts;
    struct wanted wanted = good();

    (void)state;
    assert_string_equal(judge(&wanted, &facts), "");
    assert_true(facts.next_update_ms > now_ms && facts.this_update_ms < now_ms);
    wanted.digest = EVP_sha256(); /* of the identity: who asked chose it */
    assert_string_equal(judge(&wanted, &facts), "");
    wanted.from_ms = 60 * 1000; /* a clock is a minute off */
    assert_string_equal(judge(&wanted, &facts), "");
}

static void what_does_not_hold_is_refused_by_its_reason(void **state)
{
    struct tls_staple_facts facts;
    struct wanted wanted = good();

    (void)state;
    wanted.until_ms = -1000;
    assert_string_equal(judge(&wanted, &facts), "it is out of date (nextUpdate has passed)");
    wanted.until_ms = 0;
    assert_string_equal(judge(&wanted, &facts), "it does not say until when it holds (nextUpdate)");
    wanted = good();
    wanted.from_ms = HOUR_MS / 2;
    assert_string_equal(judge(&wanted, &facts), "it is of the future (thisUpdate has not come)");
    wanted = good();
    wanted.about = &blog;
    assert_string_equal(judge(&wanted, &facts), "it is about another certificate");
    wanted = good();
    wanted.signer = &stranger;
    assert_string_equal(judge(&wanted, &facts),
                        "it is not signed by the certificate's authority, or its responder");
    /* it was signed by the authority, but is nobody's responder */
    wanted.signer = &blog;
    assert_string_equal(judge(&wanted, &facts),
                        "it is not signed by the certificate's authority, or its responder");
    wanted = good();
    wanted.status = V_OCSP_CERTSTATUS_UNKNOWN;
    assert_string_equal(judge(&wanted, &facts), "its authority does not know the certificate");
    assert_false(facts.is_revoked);
    wanted.status = V_OCSP_CERTSTATUS_REVOKED;
    assert_string_equal(judge(&wanted, &facts), "its authority has revoked the certificate");
    assert_true(facts.is_revoked);
}

static void without_its_issuer_nothing_is_known(void **state)
{
    struct tls_certificate *whole = subject;
    struct tls_staple_facts facts;
    struct wanted wanted = good();
    const char *why;

    (void)state;
    subject = tls_certificate_load_public(slice_from(shop.pem), NULL);
    why = judge(&wanted, &facts);
    tls_certificate_free(&subject);
    subject = whole;
    assert_string_equal(why,
                        "it cannot be checked: cert_file lacks the certificate of who signed it");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_response_that_holds_is_good),
        cmocka_unit_test(what_does_not_hold_is_refused_by_its_reason),
        cmocka_unit_test(without_its_issuer_nothing_is_known),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
