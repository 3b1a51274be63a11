/*
 * world - where a drill plays: a scratch folder laid out as the demonstration's, a proxy of its own
 * in it, three people with fresh tokens, and calls as one of them.
 *
 *   build/twokey        this program         build/demo/tokens   ANN, BOB, CAT for a shell
 *   build/demo/conf.d   what it started with build/demo/state    its state directory
 *   log                 what the proxy said  access.log
 *
 * Owner    the play, from world_open() to world_close()      Threads  the first
 */
#ifndef CLI_DRILL_WORLD_H
#define CLI_DRILL_WORLD_H

#include <jansson.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <sys/types.h>

#include "cli/token.h"
#include "tls/self_signed.h"

struct api_client;
struct drill;
struct error;
struct site;

enum { WORLD_PATH = 256, WORLD_PEOPLE = 3 };
enum world_person { WORLD_ANN, WORLD_BOB, WORLD_CAT };

struct world {
    char folder[WORLD_PATH]; /* "" before it is made */
    struct sockaddr_in admin;
    uint16_t web_port;
    pid_t proxy; /* 0: not running */
    struct token tokens[WORLD_PEOPLE];
    struct api_client *callers[WORLD_PEOPLE];
    struct tls_self_signed authority; /* its certificate is NULL: clients speak clear text */
    int64_t certificate_ends_ms;      /* wall clock */
};

/* The folder, the people, and where the proxy's admin listener will be. */
bool world_open(struct world *world, struct error *why);
/* Ends what runs and removes the folder, unless it is to be kept. */
void world_close(struct world *world, bool is_kept);

/* For a drill in clear text nothing; else an authority (build/demo/ca.pem, ca.key) and a
 * certificate for shop.example (build/demo/conf.d/shop.pem, shop.key), which begins to age now. */
bool world_certify(struct world *world, const struct drill *drill, struct error *why);
/* Writes the documents, starts the proxy, and returns when it serves. */
bool world_start(struct world *world, const struct drill *drill, const struct site *site,
                 struct error *why);
/* False: the proxy has ended. */
bool world_is_alive(struct world *world);
/* The last lines of what the proxy said, to stderr. */
void world_show_log(const struct world *world);

/* Calls the admin API beside the desk; the answer's JSON (the caller's), or NULL.  `body` is
 * taken, and may be NULL.  `status_out`: 0 for no answer. */
json_t *world_call(struct world *world, enum world_person person, const char *method,
                   const char *path, json_t *body, unsigned *status_out);

/* JSON written with ' for "; it is ours, and must be well-formed. */
json_t *world_json(const char *text);
/* Starts a program in a process group of its own, its output to a file or (NULL) to ours. */
pid_t world_spawn(const char *program, char *const *arguments, const char *folder,
                  const char *output);
/* Asks the group to end, and insists after some seconds. */
void world_end(pid_t *pid);
/* A port that nobody listens on now; 0: none is left. */
uint16_t world_free_port(void);
/* Whether nobody listens on it. */
bool world_port_is_free(uint16_t port);

#endif
