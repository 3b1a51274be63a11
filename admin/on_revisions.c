/*
 * on_revisions - what ran: revisions, their configurations, and what differs between them.
 *
 * Owner    the call.      Threads  control only
 */
#include "admin/operations.h"

#include "admin/asked.h"
#include "admin/auth.h"
#include "admin/call.h"
#include "admin/change_text.h"
#include "admin/internal.h"
#include "change/ledger.h"

enum { CURSOR_ROOM = 32 };

void on_revisions(struct call *call)
{
    struct ledger *ledger = asked_ledger(call);
    struct refusal refusal = {0};
    struct asked_page page;
    char more[CURSOR_ROOM] = "";
    json_t *answer = NULL;
    bool ok;

    if (ledger == NULL || !asked_page(call, &page))
        return;
    ok = ledger_revisions(ledger, page.cursor, page.limit, &answer, more, &refusal);
    if (ok)
        asked_link_next(call, more);
    change_reply_shown(call, ok, answer, &refusal, change_text_revisions);
}

void on_revision(struct call *call)
{
    struct ledger *ledger = asked_ledger(call);
    struct refusal refusal = {0};
    json_t *answer = NULL;
    bool ok;

    if (ledger == NULL)
        return;
    ok = ledger_revision(ledger, asked_argument(call, 0), &answer, &refusal);
    asked_reply(call, ok, 200, answer, &refusal);
}

static int append_json(const char *bytes, size_t count, void *body)
{
    buffer_append(body, bytes, count);
    return 0;
}

/* The bytes themselves, or, for whoever may not see hashes, what they mean without them. */
static void write_configuration(struct call *call, struct slice bytes)
{
    json_t *all;

    if (auth_may_see_secrets(call)) {
        buffer_append_slice(&call->reply.body, bytes);
    } else {
        all = json_loadb(bytes.at, bytes.len, 0, NULL);
        auth_mask(call, all);
        if (all != NULL)
            (void)json_dump_callback(all, append_json, &call->reply.body,
                                     JSON_COMPACT | JSON_SORT_KEYS);
        json_decref(all);
    }
}

void on_revision_config(struct call *call)
{
    asked_reply_bytes(call, ledger_revision_bytes, write_configuration);
}

void on_revision_diff(struct call *call)
{
    struct ledger *ledger = asked_ledger(call);
    struct refusal refusal = {0};
    json_t *answer = NULL;
    bool ok;

    if (ledger == NULL)
        return;
    ok = ledger_revision_diff(ledger, asked_argument(call, 0), asked_argument(call, 1), &answer,
                              &refusal);
    change_reply_shown(call, ok, answer, &refusal, change_text_diff);
}
