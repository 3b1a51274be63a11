/*
 * failure - the table of failures.
 *
 * Threads  any (constants)
 */
#include "proxy/failure.h"

#include <stddef.h>

#define NO         FAILURE_RETRY_NO
#define ANY        FAILURE_RETRY_ANY
#define IDEMPOTENT FAILURE_RETRY_IDEMPOTENT
#define YES        1
const struct failure_row failure_rows[FAILURE_COUNT] = {
#define FAILURE(name, status, retry, blames, word, help)                                           \
    [FAILURE_##name] = {status, retry, (blames) == 1, word, help},
#include "proxy/failure.def"
#undef FAILURE
};
#undef NO
#undef ANY
#undef IDEMPOTENT
#undef YES

const char *const failure_words[FAILURE_COUNT + 1] = {
#define FAILURE(name, status, retry, blames, word, help) [FAILURE_##name] = word,
#include "proxy/failure.def"
#undef FAILURE
    [FAILURE_COUNT] = NULL,
};
