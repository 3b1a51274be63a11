/*
 * token - new credentials for people: tk_<person>_<43 characters of base64url>, 256 random bits.
 *
 * Owner    the caller; what holds a token is cleared by token_forget()      Threads  any
 */
#ifndef CLI_TOKEN_H
#define CLI_TOKEN_H

#include <stdbool.h>

#include "base/digest.h"
#include "base/error.h"

enum { TOKEN_TEXT = 3 + 63 + 1 + 43 + 1 };

struct token {
    char text[TOKEN_TEXT];
    char hash[DIGEST_TEXT]; /* as it stands in the configuration */
};

/* False: the kernel gave no random bytes; `why` says so. */
bool token_make(const char *person, struct token *token_out, struct error *why);
void token_forget(struct token *token);

#endif
