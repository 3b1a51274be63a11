/*
 * token - see token.h, and `twokey token PERSON`.
 *
 * Owner    main()      Threads  the first
 */
#include "cli/token.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>

#include "cli/cli.h"
#include "config/text.h"

enum { SECRET_BYTES = 32 };

/* RFC 4648 §5, without padding: 32 bytes give 43 characters. */
static void write_base64url(const unsigned char bytes[SECRET_BYTES], char *out)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    unsigned bits = 0;
    unsigned count = 0;

    for (size_t i = 0; i < SECRET_BYTES; i++) {
        bits = bits << 8 | bytes[i];
        for (count += 8; count >= 6; count -= 6)
            *out++ = digits[bits >> (count - 6) & 63];
    }
    *out++ = digits[bits << (6 - count) & 63];
    *out = '\0';
}

bool token_make(const char *person, struct token *token_out, struct error *why)
{
    unsigned char secret[SECRET_BYTES];
    struct digest digest;
    size_t used;

    if (getrandom(secret, sizeof(secret), 0) != (ssize_t)sizeof(secret)) {
        error_set(why, ERROR_SYSTEM, "no random bytes: %s", strerror(errno));
        return false;
    }
    used = (size_t)snprintf(token_out->text, sizeof(token_out->text), "tk_%.63s_", person);
    write_base64url(secret, token_out->text + used);
    explicit_bzero(secret, sizeof(secret));
    digest = digest_of(slice_from(token_out->text));
    digest_text(&digest, token_out->hash);
    return true;
}

void token_forget(struct token *token)
{
    explicit_bzero(token, sizeof(*token));
}

/* ---- the command ---- */

static const char help[] =
    "usage: twokey token PERSON\n"
    "\n"
    "Makes a new token for PERSON and prints it, and below it the hash that the configuration\n"
    "holds. The token is shown this once and kept nowhere; nothing is changed by making one.\n"
    "\n"
    "The hash goes into people.PERSON.tokens by a change that others approve; the token goes to\n"
    "PERSON, who sends it with each call: Authorization: Bearer tk_PERSON_...\n"
    "\n"
    "exit code: 0 made, 2 not possible\n";

static int print_token(const char *person)
{
    struct token token;
    struct error why = {0};

    if (!text_is_name(person)) {
        (void)fprintf(stderr,
                      "twokey token: \"%s\" is not a name (a-z, 0-9 and \"-\", 1 to 63 of them)\n",
                      person);
        return EXIT_TROUBLE;
    }
    if (!token_make(person, &token, &why)) {
        (void)fprintf(stderr, "twokey token: %s\n", why.text);
        return EXIT_TROUBLE;
    }
    printf("%s\n%s\n", token.text, token.hash);
    (void)fprintf(stderr,
                  "\nThe first line is the token, for %s alone; it is not shown again.\n"
                  "The second is its hash, for people.%s.tokens:\n"
                  "  {\"id\": \"laptop\", \"hash\": \"%s\"}\n",
                  person, person, token.hash);
    token_forget(&token);
    return EXIT_DONE;
}

int cli_token(int argc, char **argv)
{
    static const struct option options[] = {
        {"help", no_argument, NULL, 'h'},
        {NULL, 0, NULL, 0},
    };
    int option;

    while ((option = getopt_long(argc, argv, "h", options, NULL)) != -1) {
        if (option == 'h') {
            (void)fputs(help, stdout);
            return EXIT_DONE;
        }
        (void)fputs(help, stderr);
        return EXIT_TROUBLE;
    }
    if (optind != argc - 1) {
        (void)fputs(help, stderr);
        return EXIT_TROUBLE;
    }
    return print_token(argv[optind]);
}
