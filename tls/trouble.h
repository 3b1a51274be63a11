/*
 * trouble - why a handshake with a server failed: one of a few, for counters and people.
 *
 * Owner    nobody      Threads  any
 */
#ifndef TLS_TROUBLE_H
#define TLS_TROUBLE_H

enum tls_trouble {
#define TROUBLE(id, word, help) TLS_TROUBLE_##id,
#include "tls/trouble.def"
#undef TROUBLE
    TLS_TROUBLES
};

/* By enum tls_trouble; ends with NULL. */
extern const char *const tls_trouble_words[TLS_TROUBLES + 1];

#endif
