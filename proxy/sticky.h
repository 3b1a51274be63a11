/*
 * sticky - the cookie that keeps a client with its server.
 *
 * Its value is the server's name and an HMAC over pool and name, under a key that lives in the
 * state directory and outlives restarts: nobody can choose his server who was not given it.
 *
 * Owner    control reads or makes the key before workers start.      Threads  any (pure)
 */
#ifndef PROXY_STICKY_H
#define PROXY_STICKY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/slice.h"
#include "proxy/http/writer.h"

struct error;
struct sticky_key;

/* Reads `directory`/keys/sticky.key, or makes it (mode 0600).  NULL and `why`. */
struct sticky_key *sticky_key_open(const char *directory, struct error *why);
void sticky_key_free(struct sticky_key **key);

/* The server that a cookie value names, when its signature holds for this pool. */
bool sticky_read(const struct sticky_key *key, const char *pool, struct slice value,
                 struct slice *server_out);
/* Writes "name=value; Path=/; …", the value of a Set-Cookie field. */
void sticky_write(const struct sticky_key *key, struct writer *w, const char *cookie,
                  const char *pool, const char *server, uint64_t ttl_ms, bool is_https);

/* The value of `name` in a Cookie field; false when it is not there. */
bool sticky_find_cookie(struct slice cookies, struct slice name, struct slice *value_out);

#endif
