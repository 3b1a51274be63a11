/*
 * on_alerts - what somebody should look at now, for GET /v1/alerts and GET /v1/status.
 *
 * Threads  control only
 */
#ifndef ADMIN_ON_ALERTS_H
#define ADMIN_ON_ALERTS_H

#include <jansson.h>
#include <stdint.h>

struct admin;

/* [{name, severity, since, summary, description}]; the caller's. */
json_t *alerts_list(const struct admin *admin);
/* Each second: since when there is drift. */
void alerts_notice_drift(struct admin *admin, int64_t now_ms);

#endif
