/*
 * tickets - the keys that session tickets are sealed with (RFC 5077; RFC 8446 §4.6.1).
 *
 * Three keys: the newest seals, all open.  A new one comes each rotation, so that a ticket serves
 * for one to two rotations after it was given.  They lie in the state directory and outlive reloads
 * and restarts.
 *
 * Owner    cli/serve.c      Threads  rotate: control; sealing and opening: any worker.  A set of
 * keys never changes: the pointer to the newest set is the one shared word, written by control.
 */
#ifndef TLS_TICKETS_H
#define TLS_TICKETS_H

#include <stdbool.h>
#include <stdint.h>

struct error;
struct tls_tickets;

enum { TLS_TICKET_ROTATION_S = 8 * 3600 };

/* Reads `directory`/keys/tickets.key, or makes it (mode 0600).  NULL and `why`. */
struct tls_tickets *tls_tickets_open(const char *directory, int64_t now_ms, struct error *why);
/* For tests, and for who keeps no state: keys in memory only. */
struct tls_tickets *tls_tickets_new(int64_t now_ms);
void tls_tickets_free(struct tls_tickets **tickets);
/* Control, now and then: makes a new key when the newest is old enough.  False and `why`: it could
 * not be written, and the old ones go on. */
bool tls_tickets_rotate(struct tls_tickets *tickets, int64_t now_ms, struct error *why);

#endif
