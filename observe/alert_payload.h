/*
 * alert_payload - a batch of alerts as receivers want it; pure.
 *
 * A batch is what control knows: {"seq", "cluster", "instance", "url", "raised": […], "over": […]};
 * each alert is as in GET /v1/alerts, with "seq", the number of its last move, and those that are
 * over with "ended".
 *
 * Owner    results are the caller's      Threads  any
 */
#ifndef OBSERVE_ALERT_PAYLOAD_H
#define OBSERVE_ALERT_PAYLOAD_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

enum { ALERT_ENDS_MS = 3 * 60 * 1000 }; /* what is not sent again is over after so long */

/* What one receiver has had: moves after `seq` are news to it; what was over before it was known,
 * `floor`, is none of its business. */
struct alert_seen {
    uint64_t seq;
    uint64_t floor;
};

/* For Alertmanager's POST /api/v2/alerts: all that is raised, and what is newly over.  NULL: there
 * is nothing to send. */
json_t *alert_payload_alertmanager(const json_t *batch, const struct alert_seen *seen,
                                   int64_t wall_ms);
/* For a webhook: what was raised and what ended since, with "status", "cluster" and "instance".
 * NULL: nothing did. */
json_t *alert_payload_webhook(const json_t *batch, const struct alert_seen *seen);

#endif
