/*
 * impact_hosts - which hosts no route takes any more.
 *
 * Owner    the arena that it was given      Threads  any
 */
#ifndef DETECT_IMPACT_HOSTS_H
#define DETECT_IMPACT_HOSTS_H

#include <stddef.h>

struct arena;
struct configuration;
struct traces;

/* Hosts that routes of `base` name and those of `target` do not, neither by themselves nor by a
 * wildcard; and those that requests asked for, were served, and would not be.  Sorted, each once.
 */
const char **impact_hosts_dropped(const struct configuration *base,
                                  const struct configuration *target, const struct traces *traces,
                                  struct arena *arena, size_t *count_out);

#endif
