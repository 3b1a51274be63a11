/*
 * bind - the listening sockets of the admin API; says which address could not be bound, and why.
 *
 * Owner    the caller closes the descriptor.      Threads  control only
 */
#ifndef ADMIN_BIND_H
#define ADMIN_BIND_H

struct conf_address;
struct error;

/* -1 and `why`.  Takes loopback addresses only. */
int bind_loopback(const struct conf_address *address, struct error *why);

/* A Unix socket that only this user may open; `socket_path` is relative to `state_directory` or
 * absolute.  A socket that a dead process left is replaced.  *path_out (caller xfree()s) is
 * where it is. */
int bind_local(const char *state_directory, const char *socket_path, char **path_out,
               struct error *why);

#endif
