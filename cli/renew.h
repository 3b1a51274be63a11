/*
 * renew - takes up renewed files of certificates without a change, where the policy says so.
 *
 * Owner    the serving process.      Threads  control
 */
#ifndef CLI_RENEW_H
#define CLI_RENEW_H

struct server_process;

/* Now and then. */
void renew_look(struct server_process *process);

#endif
