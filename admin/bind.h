/*
 * bind - the listening sockets of the admin API; says which address could not be bound, and why.
 *
 * Owner    the caller closes the descriptor.      Threads  control only
 */
#ifndef ADMIN_BIND_H
#define ADMIN_BIND_H

#include <stdbool.h>

struct conf_address;
struct error;
struct sockaddr_storage;

/* -1 and `why`.  Takes others than loopback addresses only with TLS. */
int bind_tcp(const struct conf_address *address, bool has_tls, struct error *why);
/* Of this machine: 127.0.0.0/8, ::1, and the former as IPv6. */
bool bind_is_loopback(const struct sockaddr_storage *address);

/* A Unix socket that only this user may open; `socket_path` is relative to `state_directory` or
 * absolute.  A socket that a dead process left is replaced.  *path_out (caller xfree()s) is
 * where it is. */
int bind_local(const char *state_directory, const char *socket_path, char **path_out,
               struct error *why);

#endif
