/*
 * admin - the admin listener: status, pools, metrics, explain and reload, over HTTP.
 *
 * Runs on the control loop.  What it shows is control's own memory, or words that it may read.
 *
 * Owner    cli/serve.c.      Threads  control only
 */
#ifndef ADMIN_ADMIN_H
#define ADMIN_ADMIN_H

#include <stdbool.h>
#include <stdint.h>

#include <jansson.h>

struct actor;
struct admin;
struct conf_admin;
struct counters;
struct error;
struct findings;
struct ledger;
struct publisher;
struct refusal;
struct registry;
struct sticky_key;
struct summary;
struct uv_loop_s;
struct watch;

/* How a reload went; everything is only borrowed during the call. */
struct admin_reload_result {
    bool ok;
    const struct findings *findings; /* also when ok: warnings */
    const char *why;                 /* when not ok and no finding says it */
    uint64_t generation;
    const char *digest;
    const char *const *changes; /* what is different, in words */
    unsigned change_count;
    /* Mode enforced: the change that was made of conf.d, or null when it says nothing new; NULL in
     * the other modes. */
    json_t *change;
    struct refusal *refusal; /* when not ok, and the ledger said so; or NULL */
};
typedef void admin_reloaded_fn(void *context, const struct admin_reload_result *result);

struct admin_options {
    struct uv_loop_s *loop;
    const struct conf_admin *conf;
    const char *state_directory;
    struct counters *counters;
    struct registry *registry;
    struct publisher *publisher;
    struct ledger *ledger; /* NULL: there is no history, and nothing that needs one works */
    struct watch *watch;   /* NULL: nobody looks, there are no alerts */
    const struct sticky_key *sticky_key; /* for explain; NULL: no cookie is understood */
    unsigned worker_count;
    const char *const *failure_words; /* by enum failure; ends with NULL */
    const char *const *trouble_words; /* by enum tls_trouble; ends with NULL */
    const char *configuration_directory;
    /* Reads conf.d again, for `actor` (copied); calls `done` once, on control, maybe later. */
    void (*reload)(void *context, const struct actor *actor, admin_reloaded_fn *done,
                   void *done_context);
    /* True while conf.d on disk differs from what runs. */
    bool (*has_drift)(void *context);
    void *context;
};

/* NULL and `why`: which address could not be bound, and why. */
struct admin *admin_open(const struct admin_options *options, struct error *why);
/* Ends connections; the object dies in the loop's next turns, then `on_closed` is called. */
void admin_close(struct admin **admin, void (*on_closed)(void *context), void *context);

/* Another configuration runs: callers are spoken to as it says. */
void admin_adopt(struct admin *admin);

/* It listens at an address that is not loopback. */
bool admin_is_exposed(const struct admin *admin);

/* The ledger has a new audit record: streams of events are told. */
void admin_take_event(struct admin *admin);

/* The observer's last second; admin frees it when the next one comes. */
void admin_take_summary(struct admin *admin, struct summary *summary);

#endif
