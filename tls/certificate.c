/*
 * certificate - see certificate.h.
 *
 * Owner    whoever loaded it      Threads  loading: any; afterwards nobody writes to it
 */
#include "tls/certificate.h"

#include <arpa/inet.h>
#include <limits.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/check.h"
#include "base/error.h"
#include "base/memory.h"
#include "tls/internal.h"

enum { MOST_CHAIN = 20 };

/* ---- errors ---- */

const char *tls_error_text(char *out, size_t room)
{
    unsigned long code = ERR_get_error();
    const char *reason = ERR_reason_error_string(code);

    (void)snprintf(out, room, "%s", reason != NULL ? reason : "no reason given");
    ERR_clear_error();
    return out;
}

void tls_error_set(struct error *why, const char *format, ...)
{
    char reason[160];
    char text[320];
    va_list arguments;

    va_start(arguments, format);
    (void)vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    error_set(why, ERROR_INVALID, "%s: %s", text, tls_error_text(reason, sizeof(reason)));
}

/* ---- reading PEM ---- */

/* No terminal is asked for a passphrase. */
static int no_passphrase(char *out, int room, int writes, void *context)
{
    (void)out;
    (void)room;
    (void)writes;
    *(bool *)context = true;
    return -1;
}

static BIO *open_bytes(struct slice bytes)
{
    return BIO_new_mem_buf(bytes.at, bytes.len < INT_MAX ? (int)bytes.len : INT_MAX);
}

static bool read_chain(struct tls_certificate *one, struct slice pem, struct error *why)
{
    BIO *bio = open_bytes(pem);
    X509 *next;

    one->leaf = PEM_read_bio_X509(bio, NULL, NULL, NULL);
    while (one->leaf != NULL && one->facts.chain_count < MOST_CHAIN &&
           (next = PEM_read_bio_X509(bio, NULL, NULL, NULL)) != NULL) {
        if (one->chain == NULL)
            one->chain = sk_X509_new_null();
        (void)sk_X509_push(one->chain, next);
        one->facts.chain_count++;
    }
    one->facts.chain_count++;
    BIO_free(bio);
    if (one->leaf == NULL) {
        ERR_clear_error();
        error_set(why, ERROR_INVALID,
                  "there is no certificate in it (\"-----BEGIN CERTIFICATE-----\")");
        return false;
    }
    ERR_clear_error(); /* the end of the file */
    return true;
}

static bool read_key(struct tls_certificate *one, struct slice pem, struct error *why)
{
    BIO *bio = open_bytes(pem);
    bool has_passphrase = false;

    one->key = PEM_read_bio_PrivateKey(bio, NULL, no_passphrase, &has_passphrase);
    BIO_free(bio);
    if (one->key == NULL) {
        ERR_clear_error();
        error_set(why, ERROR_INVALID,
                  has_passphrase
                      ? "the key has a passphrase, which nobody is there to give"
                      : "there is no private key in it (\"-----BEGIN PRIVATE KEY-----\")");
        return false;
    }
    if (X509_check_private_key(one->leaf, one->key) != 1) {
        ERR_clear_error();
        error_set(why, ERROR_INVALID, "the key belongs to another certificate");
        return false;
    }
    return true;
}

/* ---- what it says ---- */

int64_t tls_time_ms(const ASN1_TIME *time)
{
    struct tm parts;

    if (ASN1_TIME_to_tm(time, &parts) != 1)
        return 0;
    return (int64_t)timegm(&parts) * 1000;
}

static void note_times(struct tls_certificate *one)
{
    one->facts.not_before_ms = tls_time_ms(X509_get0_notBefore(one->leaf));
    one->facts.not_after_ms = tls_time_ms(X509_get0_notAfter(one->leaf));
    for (int i = 0; one->chain != NULL && i < sk_X509_num(one->chain); i++) {
        int64_t ends_ms = tls_time_ms(X509_get0_notAfter(sk_X509_value(one->chain, i)));

        if (ends_ms < one->facts.not_after_ms)
            one->facts.not_after_ms = ends_ms;
    }
}

static void add_name(struct tls_certificate *one, const char *text, size_t len)
{
    char *name;

    if (len == 0 || len > 253 || memchr(text, '\0', len) != NULL)
        return;
    name = xcalloc(len + 1, 1);
    for (size_t i = 0; i < len; i++)
        name[i] = ascii_lower(text[i]);
    one->names = xrealloc(one->names, (one->facts.name_count + 1) * sizeof(char *));
    one->names[one->facts.name_count++] = name;
}

static void add_address(struct tls_certificate *one, const ASN1_OCTET_STRING *bytes)
{
    int len = ASN1_STRING_length(bytes);
    char text[INET6_ADDRSTRLEN];

    if ((len != 4 && len != 16) ||
        inet_ntop(len == 4 ? AF_INET : AF_INET6, ASN1_STRING_get0_data(bytes), text,
                  sizeof(text)) == NULL)
        return;
    one->addresses =
        xrealloc(one->addresses, (one->facts.address_count + 1) * sizeof(*one->addresses));
    one->addresses[one->facts.address_count++] = xstrdup(text);
}

static void note_names(struct tls_certificate *one)
{
    GENERAL_NAMES *names = X509_get_ext_d2i(one->leaf, NID_subject_alt_name, NULL, NULL);

    for (int i = 0; names != NULL && i < sk_GENERAL_NAME_num(names); i++) {
        const GENERAL_NAME *name = sk_GENERAL_NAME_value(names, i);

        if (name->type == GEN_DNS)
            add_name(one, (const char *)ASN1_STRING_get0_data(name->d.dNSName),
                     (size_t)ASN1_STRING_length(name->d.dNSName));
        else if (name->type == GEN_IPADD)
            add_address(one, name->d.iPAddress);
    }
    GENERAL_NAMES_free(names);
    ERR_clear_error(); /* no such extension: no names */
    one->facts.names = (const char *const *)one->names;
    one->facts.addresses = (const char *const *)one->addresses;
}

static bool was_signed_by(X509 *below, X509 *above)
{
    return X509_check_issued(above, below) == X509_V_OK &&
           X509_verify(below, X509_get0_pubkey(above)) == 1;
}

static void note_chain(struct tls_certificate *one)
{
    X509 *below = one->leaf;

    one->facts.is_self_signed = was_signed_by(one->leaf, one->leaf);
    one->facts.is_chain_in_order = true;
    one->facts.is_for_servers = X509_check_purpose(one->leaf, X509_PURPOSE_SSL_SERVER, 0) == 1;
    for (int i = 0; one->chain != NULL && i < sk_X509_num(one->chain); i++) {
        X509 *above = sk_X509_value(one->chain, i);

        if (!was_signed_by(below, above))
            one->facts.is_chain_in_order = false;
        below = above;
    }
    ERR_clear_error();
}

static bool note_kind(struct tls_certificate *one, struct error *why)
{
    switch (EVP_PKEY_get_base_id(X509_get0_pubkey(one->leaf))) {
    case EVP_PKEY_RSA:
    case EVP_PKEY_RSA_PSS: one->facts.kind = TLS_KEY_RSA; return true;
    case EVP_PKEY_EC: one->facts.kind = TLS_KEY_ECDSA; return true;
    case EVP_PKEY_ED25519: one->facts.kind = TLS_KEY_ED25519; return true;
    default:
        error_set(why, ERROR_INVALID, "its key is none of RSA, ECDSA and Ed25519");
        return false;
    }
}

/* ---- the whole ---- */

static struct tls_certificate *load(struct slice chain_pem, const struct slice *key_pem,
                                    struct error *why)
{
    struct tls_certificate *one = xcalloc(1, sizeof(*one));

    if (read_chain(one, chain_pem, why) && note_kind(one, why) &&
        (key_pem == NULL || read_key(one, *key_pem, why))) {
        note_times(one);
        note_names(one);
        note_chain(one);
        return one;
    }
    tls_certificate_free(&one);
    return NULL;
}

struct tls_certificate *tls_certificate_load(struct slice chain_pem, struct slice key_pem,
                                             struct error *why)
{
    return load(chain_pem, &key_pem, why);
}

struct tls_certificate *tls_certificate_load_public(struct slice chain_pem, struct error *why)
{
    return load(chain_pem, NULL, why);
}

void tls_certificate_free(struct tls_certificate **holder)
{
    struct tls_certificate *one = *holder;

    *holder = NULL;
    if (one == NULL)
        return;
    for (size_t i = 0; i < one->facts.name_count; i++)
        xfree(one->names[i]);
    xfree(one->names);
    for (size_t i = 0; i < one->facts.address_count; i++)
        xfree(one->addresses[i]);
    xfree(one->addresses);
    X509_free(one->leaf);
    sk_X509_pop_free(one->chain, X509_free);
    EVP_PKEY_free(one->key);
    xfree(one);
}

const struct tls_certificate_facts *tls_certificate_facts(const struct tls_certificate *one)
{
    return &one->facts;
}

bool tls_certificate_can_be_shown(const struct tls_certificate *one, struct error *why)
{
    SSL_CTX *context = SSL_CTX_new(TLS_server_method());
    bool ok;

    CHECK(context != NULL);
    ok = SSL_CTX_use_cert_and_key(context, one->leaf, one->key, one->chain, 1) == 1;
    if (!ok)
        tls_error_set(why, "it cannot be shown");
    SSL_CTX_free(context);
    return ok;
}

static STACK_OF(X509) * read_all(struct slice pem)
{
    STACK_OF(X509) *all = sk_X509_new_null();
    BIO *bio = open_bytes(pem);
    X509 *next;

    while ((next = PEM_read_bio_X509(bio, NULL, NULL, NULL)) != NULL)
        (void)sk_X509_push(all, next);
    BIO_free(bio);
    ERR_clear_error();
    return all;
}

bool tls_certificates_overlap(struct slice a_pem, struct slice b_pem)
{
    STACK_OF(X509) *a = read_all(a_pem);
    STACK_OF(X509) *b = read_all(b_pem);
    bool found = false;

    for (int i = 0; i < sk_X509_num(a) && !found; i++)
        for (int k = 0; k < sk_X509_num(b) && !found; k++)
            found = X509_cmp(sk_X509_value(a, i), sk_X509_value(b, k)) == 0;
    sk_X509_pop_free(a, X509_free);
    sk_X509_pop_free(b, X509_free);
    return found;
}

bool tls_name_covers(const char *pattern, struct slice name)
{
    const char *dot;

    if (pattern[0] != '*' || pattern[1] != '.')
        return slice_equal(slice_from(pattern), name);
    dot = name.len > 0 ? memchr(name.at, '.', name.len) : NULL;
    return dot != NULL && dot > name.at &&
           slice_equal(slice_from(pattern + 1), slice_after(name, (size_t)(dot - name.at)));
}
