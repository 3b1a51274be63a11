/*
 * run_configuration - from a checked configuration to what the workers run.
 *
 *   NAMES (looked up) --> listeners bound, tables built = prepared --> published --> ADOPTED by all
 *
 * Nothing is changed before everything that can fail has been done.  One at a time: who asks while
 * one is under way is served after it.  A name that has new addresses gives the same configuration
 * a new generation.
 *
 * Owner    the serving process.      Threads  control
 */
#ifndef CLI_RUN_CONFIGURATION_H
#define CLI_RUN_CONFIGURATION_H

#include <stddef.h>

#include "change/runner.h"

struct findings;
struct prepared;
struct server_process;

/* What the ledger asks for: publishing answers after the first round of checks of new pools. */
struct runner run_configuration_runner(struct server_process *process);

/* Takes `conf`.  Notes go into `findings` (borrowed until `done`), or nowhere when it is NULL. */
void run_prepare(struct server_process *process, struct configuration *conf,
                 struct findings *findings, runner_prepared_fn *done, void *context);
const struct configuration *run_prepared_conf(const struct prepared *prepared);
/* Takes `prepared`; answers when every worker runs it. */
void run_publish(struct server_process *process, struct prepared *prepared,
                 runner_published_fn *done, void *context);
void run_drop(struct server_process *process, struct prepared *prepared);

/* The registry's callback. */
void run_names_changed(void *context);
/* Now and then: what authorities say of certificates is shown as it is by now. */
void run_look_at_staples(struct server_process *process);
/* Those of `findings` from number `first` on, to the log. */
void run_log_findings(const struct findings *findings, size_t first);
/* That what runs goes on, and why. */
void run_log_refused(const struct server_process *process, const char *why);
/* Whoever waits to prepare is told that it will not happen; what is published answers no more. */
void run_close(struct server_process *process);

#endif
