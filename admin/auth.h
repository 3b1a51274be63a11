/*
 * auth - who is calling, and whether he may.
 *
 *   a token         Authorization: Bearer tk_<person>_<43 characters>; the configuration holds its
 *                   SHA-256
 *   a certificate   over TLS, without a token: one of its subject alternative names stands in
 *                   people.X.certificate_names
 *   a user          over the Unix socket, without a token: people.X.uids
 *   nobody needed   where no people are configured (modes advisory and off), every caller on this
 *                   machine is "local"
 *
 * A token and a certificate of two people on one call are nobody's.
 *
 * Invariant  No part of a token is ever written, told or kept.
 * Owner      the call.      Threads  control only
 */
#ifndef ADMIN_AUTH_H
#define ADMIN_AUTH_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

struct call;
struct conf_person;

enum { AUTH_ADDRESSES = 256, AUTH_TRIES = 10, AUTH_WINDOW_MS = 60000 };

/* Failed tries by address; two of one hash share a place, which only hastens a 429. */
struct auth_failures {
    struct {
        uint64_t since_ms; /* of the first try that counts */
        unsigned count;
    } places[AUTH_ADDRESSES];
};

/* Fills call->actor.  False: the call was answered (401, 429, 503). */
bool auth_identify(struct call *call);
/* The operation's permission: words joined by "|", of which one must hold.  `any`: nobody needs to
 * be known; `known`: somebody of `people`; `viewer`: any role; `metrics`: as viewer, unless
 * admin.metrics_public; else a role.  False: answered 403, with those who could. */
bool auth_permit(struct call *call);

/* For calls that last: the caller is still known, and may still. */
bool auth_still_holds(struct call *call);

/* The caller may see hashes of tokens and signing keys. */
bool auth_may_see_secrets(const struct call *call);
/* Puts "(secret)" in their place, unless he may; `configuration` is a whole one. */
void auth_mask(const struct call *call, json_t *configuration);
/* The same for what is shown of a change: its patch. */
void auth_mask_change(const struct call *call, json_t *change);

/* Names of roles, an array. */
json_t *auth_role_words(unsigned roles);

#endif
