/*
 * change_text - changes, revisions and audit records as tables for people.
 *
 * Owner    the call.      Threads  control only
 */
#ifndef ADMIN_CHANGE_TEXT_H
#define ADMIN_CHANGE_TEXT_H

#include <jansson.h>
#include <stdbool.h>

struct call;
struct refusal;

/* Writes `answer` (the JSON that would have been sent) into the reply's body. */
typedef void change_text_fn(struct call *call, const json_t *answer);

/* Answers with `answer` (taken): as JSON, or as text where the caller prefers it. */
void change_reply_or_text(struct call *call, json_t *answer, change_text_fn *write);

/* The same, or the refusal (cleared) when `ok` is false. */
void change_reply_shown(struct call *call, bool ok, json_t *answer, struct refusal *refusal,
                        change_text_fn *write);

change_text_fn change_text_one;
/* The lines about the health gate, in GET /v1/status too; nothing for null. */
void change_text_gate(struct call *call, const json_t *gate);
change_text_fn change_text_list;
change_text_fn change_text_diff;
change_text_fn change_text_impact;
change_text_fn change_text_findings;
change_text_fn change_text_revisions;
change_text_fn change_text_audit;
change_text_fn change_text_alerts;

#endif
