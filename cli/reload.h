/*
 * reload - what reads conf.d: at the start, on SIGHUP and through the admin API.
 *
 * Modes off and advisory: it is recorded, unreviewed, and runs.  Mode enforced: it becomes a
 * change; a start runs what the store has.
 *
 * One at a time: who asks while one is under way gets the outcome of the next.
 *
 * Owner    the serving process.      Threads  control; reading runs on libuv's pool
 */
#ifndef CLI_RELOAD_H
#define CLI_RELOAD_H

#include <stdbool.h>

#include "admin/admin.h"

struct configuration;
struct server_process;

/* Reads and checks; tells all findings on stderr.  NULL when it cannot run. */
struct configuration *reload_read_first(const char *directory);
/* Publishes the first configuration, and records it unless it is the store's; when that fails the
 * process stops with an exit code. */
void reload_first(struct server_process *process, struct configuration *conf);

void reload_from_signal(struct server_process *process);
void reload_from_admin(void *context, const struct actor *actor, admin_reloaded_fn *done,
                       void *done_context);
bool reload_has_drift(void *context);
/* Whoever waits for an outcome is told that there will be none. */
void reload_close(struct server_process *process);

#endif
