/*
 * certificates - keys and certificates made while a test runs, as PEM.
 *
 * Owner    texts are the caller's: free()      Threads  the first
 */
#ifndef TESTS_UNIT_TLS_CERTIFICATES_H
#define TESTS_UNIT_TLS_CERTIFICATES_H

#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/check.h"
#include "base/slice.h"

struct made {
    EVP_PKEY *key;
    X509 *certificate;
    char *key_pem;
    char *pem;
};

enum made_kind { MADE_EC, MADE_RSA, MADE_ED25519, MADE_WEAK_RSA };

static inline char *pem_of(BIO *bio)
{
    char *text;
    long len = BIO_get_mem_data(bio, &text);
    char *copy = calloc((size_t)len + 1, 1);

    CHECK(copy != NULL);
    memcpy(copy, text, (size_t)len);
    BIO_free(bio);
    return copy;
}

static inline EVP_PKEY *make_key(enum made_kind kind)
{
    if (kind == MADE_EC)
        return EVP_EC_gen("P-256");
    if (kind == MADE_WEAK_RSA)
        return EVP_RSA_gen(1024);
    return kind == MADE_RSA ? EVP_RSA_gen(2048) : EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
}

static inline void add_extension(X509 *certificate, X509 *issuer, int nid, const char *value)
{
    X509V3_CTX context;
    X509_EXTENSION *extension;

    X509V3_set_ctx(&context, issuer, certificate, NULL, NULL, 0);
    extension = X509V3_EXT_conf_nid(NULL, &context, nid, value);
    CHECK(extension != NULL && X509_add_ext(certificate, extension, -1) == 1);
    X509_EXTENSION_free(extension);
}

/* Of certificates that are made from now on, seconds since 1970; 0: two days before now. */
static time_t made_begin;

/* `names`: "DNS:a.example,DNS:*.b.example", or NULL; `issuer` NULL: it signs itself. */
static inline struct made make_certificate(enum made_kind kind, const char *names,
                                           const struct made *issuer, bool is_ca, long days)
{
    static long serial = 1;
    struct made made = {.key = make_key(kind), .certificate = X509_new()};
    X509 *certificate = made.certificate;
    char common_name[32];
    BIO *bio;

    CHECK(made.key != NULL);
    (void)snprintf(common_name, sizeof(common_name), "made %ld", serial);
    X509_set_version(certificate, 2);
    ASN1_INTEGER_set(X509_get_serialNumber(certificate), serial++);
    if (made_begin > 0) {
        ASN1_TIME_set(X509_getm_notBefore(certificate), made_begin);
        ASN1_TIME_set(X509_getm_notAfter(certificate), made_begin + 86400L * days);
    } else {
        X509_gmtime_adj(X509_getm_notBefore(certificate), -86400L * 2);
        X509_gmtime_adj(X509_getm_notAfter(certificate), 86400L * days);
    }
    X509_set_pubkey(certificate, made.key);
    X509_NAME_add_entry_by_txt(X509_get_subject_name(certificate), "CN", MBSTRING_ASC,
                               (const unsigned char *)common_name, -1, -1, 0);
    X509_set_issuer_name(certificate,
                         X509_get_subject_name(issuer != NULL ? issuer->certificate : certificate));
    if (names != NULL)
        add_extension(certificate, certificate, NID_subject_alt_name, names);
    if (is_ca)
        add_extension(certificate, certificate, NID_basic_constraints, "critical,CA:TRUE");
    CHECK(X509_sign(certificate, issuer != NULL ? issuer->key : made.key,
                    (issuer != NULL ? EVP_PKEY_get_base_id(issuer->key)
                                    : EVP_PKEY_get_base_id(made.key)) == EVP_PKEY_ED25519
                        ? NULL
                        : EVP_sha256()) > 0);
    bio = BIO_new(BIO_s_mem());
    PEM_write_bio_X509(bio, certificate);
    made.pem = pem_of(bio);
    bio = BIO_new(BIO_s_mem());
    PEM_write_bio_PrivateKey(bio, made.key, NULL, NULL, 0, NULL, NULL);
    made.key_pem = pem_of(bio);
    return made;
}

/* One that signs itself, after something was added. */
static inline void sign_again(struct made *made)
{
    BIO *bio = BIO_new(BIO_s_mem());

    CHECK(X509_sign(made->certificate, made->key, EVP_sha256()) > 0);
    PEM_write_bio_X509(bio, made->certificate);
    free(made->pem);
    made->pem = pem_of(bio);
}

static inline void drop_made(struct made *made)
{
    EVP_PKEY_free(made->key);
    X509_free(made->certificate);
    free(made->pem);
    free(made->key_pem);
}

#endif
