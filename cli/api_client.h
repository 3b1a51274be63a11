/*
 * api_client - calls to the admin API of a running twokey, over HTTP, HTTPS or its Unix socket; the
 * only file that knows libcurl.
 *
 *   TWOKEY_ADMIN      http://127.0.0.1:9901 (default), https://lb1.example:9901,
 *                     unix:/path/to/admin.sock, or that path
 *   TWOKEY_TOKEN      sent with each call; never shown
 *   TWOKEY_CA_FILE    over HTTPS: who may have signed its certificate, PEM; else whom the machine
 *                     believes
 *   TWOKEY_CERT_FILE  over HTTPS: the caller's certificate, PEM, and
 *   TWOKEY_KEY_FILE   its key, unless that stands in the same file
 *
 * Owner    main()      Threads  the first
 */
#ifndef CLI_API_CLIENT_H
#define CLI_API_CLIENT_H

#include <jansson.h>
#include <stdbool.h>

#include "base/buffer.h"

struct api_client;
struct error;

struct api_call {
    const char *method;
    const char *path;     /* with its query */
    const json_t *body;   /* or NULL */
    bool wants_text;      /* a table, where the call has one */
    const char *if_match; /* or NULL */
};

struct api_answer {
    unsigned status;
    bool is_json;
    struct buffer body;
    char etag[96]; /* without quotes; "" for none */
};

/* Each instead of the variable of its name; NULL: the variable. */
struct api_client_options {
    const char *address; /* TWOKEY_ADMIN */
    const char *ca_file;
    const char *cert_file;
    const char *key_file;
};

/* NULL and `why`: not an address.  Files are read with each call. */
struct api_client *api_client_open(const struct api_client_options *options, struct error *why);
/* As somebody else: `token` instead of TWOKEY_TOKEN; NULL: nobody. */
struct api_client *api_client_open_as(const char *address, const char *token, struct error *why);
void api_client_close(struct api_client **client);

/* False and `why`: nobody answered.  True: whatever the status; api_answer_fini() then. */
bool api_client_call(struct api_client *client, const struct api_call *call,
                     struct api_answer *answer_out, struct error *why);
void api_answer_fini(struct api_answer *answer);
/* The body as JSON, the caller's; NULL when it is none. */
json_t *api_answer_json(const struct api_answer *answer);

/* A segment of a path or a value of a query, escaped; xfree() it. */
char *api_escaped(const char *text);

#endif
