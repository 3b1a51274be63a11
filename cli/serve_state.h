/*
 * serve_state - how serving begins: the state directory locked, the ledger opened, and which
 * configuration the start runs: the ledger's own, or conf.d.
 *
 * Owner    cli_serve().      Threads  control only
 */
#ifndef CLI_SERVE_STATE_H
#define CLI_SERVE_STATE_H

#include <stdbool.h>

struct configuration;
struct error;
struct findings;
struct server_process;

/* Without a history there is nothing to run but conf.d. */
bool serve_has_history(const struct server_process *process);
/* The directory made and locked until the process ends; the cookies' key and the ledger open. */
bool serve_open_state(struct server_process *process, struct error *why);
/* Takes *disk, conf.d as it was read (NULL: it does not build).  What the start runs; NULL, with
 * `why` unless conf.d's findings say it. */
struct configuration *serve_choose(struct server_process *process, struct configuration **disk,
                                   struct error *why);
/* All of them, to standard error. */
void serve_print_findings(const struct findings *findings);

#endif
