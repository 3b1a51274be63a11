/*
 * self_signed - a certificate that nobody but who made it has a reason to believe: for trying out.
 *
 * Owner    texts are the caller's: xfree()      Threads  any
 */
#ifndef TLS_SELF_SIGNED_H
#define TLS_SELF_SIGNED_H

#include <stdbool.h>
#include <stdint.h>

struct error;

struct tls_self_signed {
    char *certificate; /* PEM */
    char *key;         /* PEM; wiped by tls_self_signed_free() */
};

/* For localhost, 127.0.0.1 and ::1, from now on for `days`; ECDSA, P-256.  False and `why`. */
bool tls_self_signed_make(int days, struct tls_self_signed *out, struct error *why);
/* For `name`, from now on for so many seconds, signed by `issuer`.  NULL: by itself, and then it is
 * an authority, which may sign others. */
bool tls_trial_make(const char *name, int64_t seconds, const struct tls_self_signed *issuer,
                    struct tls_self_signed *out, struct error *why);
void tls_self_signed_free(struct tls_self_signed *made);

#endif
