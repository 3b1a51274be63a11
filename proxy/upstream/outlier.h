/*
 * outlier - passive health: what workers saw of a server's answers.
 *
 * Counts failures in a row over all workers; the prober decides about ejection.
 *
 * Threads  the worker that saw it
 */
#ifndef PROXY_UPSTREAM_OUTLIER_H
#define PROXY_UPSTREAM_OUTLIER_H

#include <stdbool.h>

#include "proxy/upstream/server.h"

struct conf_ejection;
struct prober;

/* Free of any write in the usual case: success after success. */
void outlier_note(struct server *server, const struct conf_ejection *ejection,
                  struct prober *prober, bool failed);

#endif
