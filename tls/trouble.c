/*
 * trouble - see trouble.h.
 *
 * Threads  any
 */
#include "tls/trouble.h"

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <stddef.h>

#include "tls/internal.h"

const char *const tls_trouble_words[TLS_TROUBLES + 1] = {
#define TROUBLE(id, word, help) [TLS_TROUBLE_##id] = (word),
#include "tls/trouble.def"
#undef TROUBLE
    NULL,
};

static enum tls_trouble of_verification(long verified)
{
    switch (verified) {
    case X509_V_ERR_CERT_HAS_EXPIRED: return TLS_TROUBLE_EXPIRED;
    case X509_V_ERR_CERT_NOT_YET_VALID: return TLS_TROUBLE_NOT_YET_VALID;
    case X509_V_ERR_HOSTNAME_MISMATCH:
    case X509_V_ERR_IP_ADDRESS_MISMATCH: return TLS_TROUBLE_WRONG_NAME;
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
    case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
    case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
    case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
    case X509_V_ERR_CERT_UNTRUSTED: return TLS_TROUBLE_UNKNOWN_AUTHORITY;
    default: return TLS_TROUBLE_BAD_CERTIFICATE;
    }
}

enum tls_trouble tls_trouble_of(long verified, unsigned long code)
{
    int reason = ERR_GET_REASON(code);

    if (verified != X509_V_OK)
        return of_verification(verified);
    if (code == 0)
        return TLS_TROUBLE_CLOSED;
    if (ERR_GET_LIB(code) == ERR_LIB_SSL && reason >= SSL_AD_REASON_OFFSET)
        return TLS_TROUBLE_REFUSED_US;
    switch (reason) {
    case SSL_R_WRONG_VERSION_NUMBER:
    case SSL_R_HTTP_REQUEST:
    case SSL_R_RECORD_LENGTH_MISMATCH:
    case SSL_R_UNEXPECTED_RECORD:
    case SSL_R_PACKET_LENGTH_TOO_LONG: return TLS_TROUBLE_NOT_TLS;
    case SSL_R_UNEXPECTED_EOF_WHILE_READING: return TLS_TROUBLE_CLOSED;
    default: return TLS_TROUBLE_OTHER;
    }
}
