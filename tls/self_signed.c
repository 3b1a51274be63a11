/*
 * self_signed - see self_signed.h.
 *
 * Owner    texts are the caller's      Threads  any
 */
#include "tls/self_signed.h"

#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <string.h>

#include "base/memory.h"
#include "tls/internal.h"

enum { NAME_TEXT = 300 };

static bool add_extension(X509 *certificate, int nid, const char *value)
{
    X509V3_CTX context;
    X509_EXTENSION *extension;
    bool is_added;

    X509V3_set_ctx(&context, certificate, certificate, NULL, NULL, 0);
    extension = X509V3_EXT_conf_nid(NULL, &context, nid, value);
    is_added = extension != NULL && X509_add_ext(certificate, extension, -1) == 1;
    X509_EXTENSION_free(extension);
    return is_added;
}

static bool set_serial(X509 *certificate)
{
    unsigned char bytes[16];
    BIGNUM *number;
    bool is_set;

    if (RAND_bytes(bytes, sizeof(bytes)) != 1)
        return false;
    bytes[0] &= 0x7f; /* positive (RFC 5280 §4.1.2.2) */
    number = BN_bin2bn(bytes, sizeof(bytes), NULL);
    is_set =
        number != NULL && BN_to_ASN1_INTEGER(number, X509_get_serialNumber(certificate)) != NULL;
    BN_free(number);
    return is_set;
}

struct making {
    const char *name;
    const char *alternatives; /* subjectAltName */
    long seconds;
    bool is_authority;
    X509 *issuer; /* NULL: itself */
    EVP_PKEY *issuer_key;
};

static bool is_for(const struct making *making, X509 *certificate)
{
    return making->is_authority
               ? add_extension(certificate, NID_basic_constraints, "critical,CA:TRUE") &&
                     add_extension(certificate, NID_key_usage, "critical,keyCertSign")
               : add_extension(certificate, NID_subject_alt_name, making->alternatives) &&
                     add_extension(certificate, NID_basic_constraints, "critical,CA:FALSE") &&
                     add_extension(certificate, NID_ext_key_usage, "serverAuth");
}

static bool fill(const struct making *making, X509 *certificate, EVP_PKEY *key)
{
    X509_NAME *name = X509_get_subject_name(certificate);

    return X509_set_version(certificate, X509_VERSION_3) == 1 && set_serial(certificate) &&
           X509_gmtime_adj(X509_getm_notBefore(certificate), 0) != NULL &&
           X509_gmtime_adj(X509_getm_notAfter(certificate), making->seconds) != NULL &&
           X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, (const unsigned char *)making->name,
                                      -1, -1, 0) == 1 &&
           X509_set_issuer_name(certificate, making->issuer != NULL
                                                 ? X509_get_subject_name(making->issuer)
                                                 : name) == 1 &&
           X509_set_pubkey(certificate, key) == 1 && is_for(making, certificate) &&
           X509_sign(certificate, making->issuer_key != NULL ? making->issuer_key : key,
                     EVP_sha256()) > 0;
}

static char *text_of(BIO *bio)
{
    char *bytes;
    long len = BIO_get_mem_data(bio, &bytes);
    char *text = xcalloc((size_t)len + 1, 1);

    memcpy(text, bytes, (size_t)len);
    return text;
}

static bool write_out(X509 *certificate, EVP_PKEY *key, struct tls_self_signed *out)
{
    BIO *public = BIO_new(BIO_s_mem());
    BIO *secret = BIO_new(BIO_s_secmem());
    bool is_written = PEM_write_bio_X509(public, certificate) == 1 &&
                      PEM_write_bio_PrivateKey(secret, key, NULL, NULL, 0, NULL, NULL) == 1;

    if (is_written)
        *out = (struct tls_self_signed){text_of(public), text_of(secret)};
    BIO_free(public);
    BIO_free(secret);
    return is_written;
}

static bool make(const struct making *making, struct tls_self_signed *out, struct error *why)
{
    EVP_PKEY *key = EVP_EC_gen("P-256");
    X509 *certificate = X509_new();
    bool is_made = key != NULL && certificate != NULL && fill(making, certificate, key) &&
                   write_out(certificate, key, out);

    if (!is_made)
        tls_error_set(why, "no certificate could be made");
    X509_free(certificate);
    EVP_PKEY_free(key);
    return is_made;
}

bool tls_self_signed_make(int days, struct tls_self_signed *out, struct error *why)
{
    struct making making = {.name = "localhost",
                            .alternatives = "DNS:localhost,IP:127.0.0.1,IP:::1",
                            .seconds = 24L * 3600 * days};

    return make(&making, out, why);
}

bool tls_trial_make(const char *name, int64_t seconds, const struct tls_self_signed *issuer,
                    struct tls_self_signed *out, struct error *why)
{
    char alternatives[NAME_TEXT];
    struct making making = {.name = name,
                            .alternatives = alternatives,
                            .seconds = (long)seconds,
                            .is_authority = issuer == NULL};
    struct tls_certificate *signer = NULL;
    bool is_made;

    (void)snprintf(alternatives, sizeof(alternatives), "DNS:%s", name);
    if (issuer != NULL) {
        signer =
            tls_certificate_load(slice_from(issuer->certificate), slice_from(issuer->key), why);
        if (signer == NULL)
            return false;
        making.issuer = signer->leaf;
        making.issuer_key = signer->key;
    }
    is_made = make(&making, out, why);
    tls_certificate_free(&signer);
    return is_made;
}

void tls_self_signed_free(struct tls_self_signed *made)
{
    if (made->key != NULL)
        explicit_bzero(made->key, strlen(made->key));
    xfree(made->certificate);
    xfree(made->key);
    *made = (struct tls_self_signed){0};
}
