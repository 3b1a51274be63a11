/*
 * canonical - a configuration as stable bytes: what was written, merged, keys sorted, compact,
 * without comments and without defaults.  Its SHA-256 names the configuration.
 *
 * Owner    the bytes live in the configuration's arena      Threads  one at a time
 */
#ifndef CONFIG_CANONICAL_H
#define CONFIG_CANONICAL_H

struct configuration;
struct documents;

/* Fills canonical, canonical_bytes and digest. */
void canonical_write(struct configuration *configuration, const struct documents *documents);

#endif
