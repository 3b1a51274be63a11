/*
 * remote - what the commands that call a running twokey share: their options, the call, and saying
 * what was answered.
 *
 * A refusal is shown as text on stderr (title, detail, each error, the next call); the exit code is
 * then EXIT_FINDINGS.  Whoever cannot be reached is EXIT_TROUBLE.
 *
 * Owner    main()      Threads  the first
 */
#ifndef CLI_REMOTE_H
#define CLI_REMOTE_H

#include <jansson.h>
#include <stdbool.h>

#include "base/buffer.h"
#include "cli/api_client.h"
#include "cli/cli.h"

/* Ends of help texts. */
#define REMOTE_HELP                                                                                \
    "  --admin ADDRESS  instead of TWOKEY_ADMIN: http://127.0.0.1:9901 (default),\n"               \
    "                   https://lb1.example:9901, or unix:/path/to/admin.sock\n"                   \
    "  --ca-file FILE   over HTTPS: who may have signed its certificate (TWOKEY_CA_FILE)\n"        \
    "  --cert-file FILE, --key-file FILE\n"                                                        \
    "                   over HTTPS: the certificate that says who calls, and its key\n"            \
    "                   (TWOKEY_CERT_FILE, TWOKEY_KEY_FILE)\n"
#define EXIT_HELP                                                                                  \
    "\n"                                                                                           \
    "TWOKEY_TOKEN holds the token.\n"                                                              \
    "exit code: 0 done, 1 refused (what is said tells why), 2 not reached or not possible\n"

enum { REMOTE_LIST_MAX = 64 };

struct remote_list {
    const char *items[REMOTE_LIST_MAX];
    size_t count;
};

/* Every option that some command takes; a command names those that it does. */
struct remote_options {
    struct api_client_options client;
    const char *reason;
    const char *comment;
    const char *title;
    const char *ticket;
    const char *digest;
    const char *wait;
    const char *expires;
    const char *state;
    const char *author;
    const char *config;
    const char *rollout; /* PERCENT:TIME,… */
    struct remote_list deletes;
    struct remote_list override;
    bool as_json;
    bool is_yes;
    bool is_draft;
};

struct remote {
    const char *command; /* "approve" */
    struct api_client *client;
    struct remote_options options;
    const char *const *arguments; /* those that are no options */
    int argument_count;
};

struct remote_command {
    const char *help;
    const char *options; /* letters of remote.c's table */
    int least, most;     /* arguments */
    int (*run)(struct remote *remote);
};

int remote_main(const struct remote_command *command, int argc, char **argv);

/* ---- for a command's run() ---- */

/* True: 2xx, and the answer is the caller's.  False: *code_out is the exit code, all is said. */
bool remote_call(struct remote *remote, const struct api_call *call, struct api_answer *answer_out,
                 int *code_out);
/* The same for JSON; NULL: *code_out. */
json_t *remote_ask(struct remote *remote, const char *method, const char *path, json_t *body,
                   int *code_out);
/* Calls and prints what is answered: a table where there is one, or JSON when asked for it. */
int remote_show(struct remote *remote, const char *path);
/* Calls with a body (taken; may be NULL) and prints the answer as JSON, or says `done` of it. */
int remote_do(struct remote *remote, const char *method, const char *path, json_t *body,
              void (*tell)(struct remote *remote, const json_t *answer));

/* The same for a call on the change that the first argument names: `verb` is "/apply". */
int remote_do_change(struct remote *remote, const char *verb, json_t *body,
                     void (*tell)(struct remote *remote, const json_t *answer));

/* "/v1/changes/", id, "/apply": every second part is a name, and escaped.  xfree() it. */
#define remote_path(...) remote_path_of((const char *const[]){__VA_ARGS__, NULL})
char *remote_path_of(const char *const *parts);
/* Adds a parameter to the query unless the text is NULL. */
void remote_add_parameter(struct buffer *path, const char *name, const char *value);
void remote_print_json(const json_t *json);
/* A member's text, or "-". */
const char *remote_text(const json_t *object, const char *name);
/* "next: …" for each of the calls that are possible. */
void remote_print_next(const json_t *answer);
/* Adds a member unless the text is NULL. */
void remote_set(json_t *object, const char *name, const char *text);

#endif
