/*
 * events - what happens, told as it happens: server-sent events made of the audit chain.
 *
 * A stream holds no queue, only the number of the record that it tells next: who reads slowly is
 * told later, from the store, and costs no memory.
 *
 * Owner    struct admin.      Threads  control only
 */
#ifndef ADMIN_EVENTS_H
#define ADMIN_EVENTS_H

#include <stdint.h>

struct admin;
struct call;

enum { EVENTS_STREAMS = 64, EVENTS_ALIVE_MS = 15000 };

/* There are new records: streams that sleep go on. */
void events_wake(struct admin *admin);

#endif
