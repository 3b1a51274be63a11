/*
 * actor - who asks, as far as the caller has proved it.
 *
 * Made by admin/auth for a call, and by actor_system() for what twokey does by itself.
 *
 * Owner    whoever made it; its texts are borrowed, and live as long as the call
 * Threads  control
 */
#ifndef CHANGE_ACTOR_H
#define CHANGE_ACTOR_H

#include <stdbool.h>
#include <stdint.h>

struct actor {
    const char *person; /* "ann"; "system" for twokey itself; "local" where nobody is configured */
    const char
        *principal;   /* the credential: "token:laptop", "certificate:ann@x", "uid:1000", "none" */
    const char *auth; /* how it was proved: "token", "certificate", "uid", "none", "system" */
    const char *source;       /* "127.0.0.1", "unix:uid=1000", "boot" */
    const char *request;      /* identifies the call; NULL for twokey itself */
    const char *on_behalf_of; /* a person whom a service acts for, or NULL (X-On-Behalf-Of) */
    unsigned roles;           /* enum conf_role, or'ed */
    bool is_human;
    bool is_on_socket; /* over the Unix socket: break-glass needs it */
    int64_t uid;       /* of the peer, on the socket; else -1 */
};

/* For what outlives the call that it came with: `to` gets texts of its own. */
void actor_copy(struct actor *to, const struct actor *from);
void actor_fini(struct actor *copy);

/* twokey itself; `why` names the part: "timer", "boot", "guard". */
struct actor actor_system(const char *why);

#endif
