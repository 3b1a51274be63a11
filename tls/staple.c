/*
 * staple - see staple.h.
 *
 * The bytes hang on the X509: it goes from the certificate to contexts and connections, and the
 * last of them frees it.
 *
 * Owner    the certificate      Threads  making: control; the callback: any worker
 */
#include "tls/staple.h"

#include <openssl/err.h>
#include <openssl/ocsp.h>
#include <openssl/ssl.h>
#include <string.h>

#include "base/check.h"
#include "base/error.h"
#include "base/memory.h"
#include "tls/internal.h"

enum { SKEW_MS = 5 * 60 * 1000 };

struct staple {
    size_t count;
    char bytes[];
};

/* ---- checking ---- */

/* The one of the file's that has signed it. */
static X509 *issuer_of(const struct tls_certificate *one)
{
    X509 *next =
        one->chain != NULL && sk_X509_num(one->chain) > 0 ? sk_X509_value(one->chain, 0) : NULL;

    return next != NULL && X509_check_issued(next, one->leaf) == X509_V_OK ? next : NULL;
}

/* The identity as the response writes it: each names the digest that it was made with. */
static bool is_about(OCSP_SINGLERESP *single, X509 *leaf, X509 *issuer)
{
    const OCSP_CERTID *said = OCSP_SINGLERESP_get0_id(single);
    ASN1_OBJECT *digest = NULL;
    OCSP_CERTID *wanted;
    bool is_same;

    if (OCSP_id_get0_info(NULL, &digest, NULL, NULL, (OCSP_CERTID *)(uintptr_t)said) != 1)
        return false;
    wanted = OCSP_cert_to_id(EVP_get_digestbyobj(digest), leaf, issuer);
    is_same = wanted != NULL && OCSP_id_cmp(wanted, said) == 0;
    OCSP_CERTID_free(wanted);
    return is_same;
}

static OCSP_SINGLERESP *find_single(OCSP_BASICRESP *basic, X509 *leaf, X509 *issuer)
{
    for (int i = 0; i < OCSP_resp_count(basic); i++)
        if (is_about(OCSP_resp_get0(basic, i), leaf, issuer))
            return OCSP_resp_get0(basic, i);
    return NULL;
}

/* By the issuer itself, or by whom it has made its responder: the file's issuer is believed, no
 * other authority is. */
static bool is_signed(OCSP_BASICRESP *basic, X509 *issuer)
{
    X509_STORE *store = X509_STORE_new();
    STACK_OF(X509) *with = sk_X509_new_null();
    bool ok;

    CHECK(store != NULL && with != NULL);
    ok = X509_STORE_add_cert(store, issuer) == 1 &&
         X509_STORE_set_flags(store, X509_V_FLAG_PARTIAL_CHAIN) == 1 &&
         sk_X509_push(with, issuer) > 0 && OCSP_basic_verify(basic, with, store, 0) == 1;
    sk_X509_free(with);
    X509_STORE_free(store);
    ERR_clear_error();
    return ok;
}

static bool says_no(struct error *why, const char *text)
{
    ERR_clear_error();
    error_set(why, ERROR_INVALID, "%s", text);
    return false;
}

static bool check_status(OCSP_SINGLERESP *single, struct tls_staple_facts *facts, int64_t now_ms,
                         struct error *why)
{
    ASN1_GENERALIZEDTIME *begin = NULL, *end = NULL;
    int status = OCSP_single_get0_status(single, NULL, NULL, &begin, &end);

    facts->this_update_ms = begin != NULL ? tls_time_ms(begin) : 0;
    facts->next_update_ms = end != NULL ? tls_time_ms(end) : 0;
    facts->is_revoked = status == V_OCSP_CERTSTATUS_REVOKED;
    if (facts->is_revoked)
        return says_no(why, "its authority has revoked the certificate");
    if (status != V_OCSP_CERTSTATUS_GOOD)
        return says_no(why, "its authority does not know the certificate");
    if (end == NULL)
        return says_no(why, "it does not say until when it holds (nextUpdate)");
    if (facts->next_update_ms <= now_ms)
        return says_no(why, "it is out of date (nextUpdate has passed)");
    if (facts->this_update_ms > now_ms + SKEW_MS)
        return says_no(why, "it is of the future (thisUpdate has not come)");
    return true;
}

static bool check_basic(const struct tls_certificate *one, OCSP_BASICRESP *basic, int64_t now_ms,
                        struct tls_staple_facts *facts, struct error *why)
{
    X509 *issuer = issuer_of(one);
    OCSP_SINGLERESP *single;

    if (issuer == NULL)
        return says_no(why,
                       "it cannot be checked: cert_file lacks the certificate of who signed it");
    if (!is_signed(basic, issuer))
        return says_no(why, "it is not signed by the certificate's authority, or its responder");
    single = find_single(basic, one->leaf, issuer);
    if (single == NULL)
        return says_no(why, "it is about another certificate");
    return check_status(single, facts, now_ms, why);
}

bool tls_staple_check(const struct tls_certificate *one, struct slice der, int64_t now_ms,
                      struct tls_staple_facts *facts_out, struct error *why)
{
    const unsigned char *at = (const unsigned char *)der.at;
    OCSP_RESPONSE *response = d2i_OCSP_RESPONSE(NULL, &at, (long)der.len);
    OCSP_BASICRESP *basic = NULL;
    bool ok = false;

    *facts_out = (struct tls_staple_facts){0};
    if (response == NULL || at != (const unsigned char *)der.at + der.len)
        (void)says_no(why, "it is no OCSP response in DER");
    else if (OCSP_response_status(response) != OCSP_RESPONSE_STATUS_SUCCESSFUL)
        (void)says_no(why, "the responder has answered with an error");
    else if ((basic = OCSP_response_get1_basic(response)) == NULL)
        (void)says_no(why, "it is no OCSP response of the basic type");
    else
        ok = check_basic(one, basic, now_ms, facts_out, why);
    OCSP_BASICRESP_free(basic);
    OCSP_RESPONSE_free(response);
    return ok;
}

/* ---- showing ---- */

static void on_x509_freed(void *parent, void *held, CRYPTO_EX_DATA *data, int index, long argl,
                          void *argp)
{
    (void)parent;
    (void)data;
    (void)index;
    (void)argl;
    (void)argp;
    xfree(held);
}

/* Made once, on control: before any worker can ask for a staple. */
static CRYPTO_ONCE index_once = CRYPTO_ONCE_STATIC_INIT;
static int staple_index = -1;

static void make_index(void)
{
    staple_index = X509_get_ex_new_index(0, NULL, NULL, NULL, on_x509_freed);
}

void tls_certificate_staple(struct tls_certificate *one, struct slice der)
{
    struct staple *staple = xmalloc(sizeof(*staple) + der.len);

    CHECK(CRYPTO_THREAD_run_once(&index_once, make_index) == 1 && staple_index >= 0);
    staple->count = der.len;
    memcpy(staple->bytes, der.at, der.len);
    xfree(X509_get_ex_data(one->leaf, staple_index));
    CHECK(X509_set_ex_data(one->leaf, staple_index, staple) == 1);
}

int tls_staple_callback(SSL *ssl, void *unused)
{
    X509 *shown = SSL_get_certificate(ssl);
    const struct staple *staple =
        shown != NULL && staple_index >= 0 ? X509_get_ex_data(shown, staple_index) : NULL;
    unsigned char *copy; /* which OpenSSL frees */

    (void)unused;
    if (staple == NULL || (copy = OPENSSL_memdup(staple->bytes, staple->count)) == NULL)
        return SSL_TLSEXT_ERR_NOACK;
    (void)SSL_set_tlsext_status_ocsp_resp(ssl, copy, (long)staple->count);
    return SSL_TLSEXT_ERR_OK;
}
