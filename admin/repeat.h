/*
 * repeat - a call that is sent again under its Idempotency-Key gets the first one's answer.
 *
 *   first call    remembered until it is answered; a success is then kept in the ledger, 24 hours
 *   the same      while the first is under way: waits, and gets its answer; later: the kept one
 *   another body  idempotency-mismatch
 *
 * What was refused is not kept: nothing was done, so asking again does no harm.
 *
 * Owner    struct admin.      Threads  control only
 */
#ifndef ADMIN_REPEAT_H
#define ADMIN_REPEAT_H

#include <stdbool.h>

struct admin;
struct call;

/* Before the handler.  True: the call was answered, or waits for the first one's answer. */
bool repeat_begin(struct call *call);
/* The call has its answer: those who wait get it, and it is kept. */
void repeat_answered(struct call *call);

/* The caller has gone.  True: the call lives on until it is answered. */
bool repeat_keeps(struct call *call);
/* The call is about to be freed. */
void repeat_forget(struct call *call);
/* Frees calls that lived on and have been answered; `all`: the others too, at the end. */
void repeat_sweep(struct admin *admin, bool all);

#endif
