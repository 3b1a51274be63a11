/*
 * failure - how requests fail: one table for status, retry, blame and log word (failure.def).
 *
 * Threads  any (constants)
 */
#ifndef PROXY_FAILURE_H
#define PROXY_FAILURE_H

#include <stdbool.h>
#include <stdint.h>

enum failure {
#define FAILURE(name, status, retry, blames, word, help) FAILURE_##name,
#include "proxy/failure.def"
#undef FAILURE
    FAILURE_COUNT
};

enum failure_retry { FAILURE_RETRY_NO, FAILURE_RETRY_ANY, FAILURE_RETRY_IDEMPOTENT };

struct failure_row {
    uint16_t status;
    enum failure_retry retry;
    bool blames_server;
    const char *word;
    const char *help;
};

extern const struct failure_row failure_rows[FAILURE_COUNT];
/* By enum failure; ends with NULL. */
extern const char *const failure_words[FAILURE_COUNT + 1];

#endif
