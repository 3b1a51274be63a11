/*
 * suspect - what was changed last: the first thing to look at when traffic goes wrong.
 *
 * While a change waits for its confirmation it is that change, and `cancel` takes it back; for a
 * day after it was applied, `rollback` does.  What was rolled back to is nobody's suspect.
 *
 * Owner    answers are the caller's      Threads  control
 */
#include "change/ledger.h"

#include <stdio.h>
#include <string.h>

#include "base/check.h"
#include "change/internal.h"
#include "config/load.h"
#include "config/model.h"

enum { SUSPECT_MS = 24 * 3600 * 1000, COMMAND_TEXT = 448 };

static json_t *approvers_of(const struct change *change)
{
    json_t *list = json_array();

    for (size_t i = 0; change != NULL && i < change->decision_count; i++)
        if (!change->decisions[i].is_veto)
            json_array_append_new(list, json_string(change->decisions[i].person));
    return list;
}

static const char *url_of(const struct ledger *ledger, char out[CONFIG_URL_TEXT])
{
    const struct configuration *conf = ledger_running_conf(ledger);

    return conf != NULL ? config_admin_url(conf, out) : "http://127.0.0.1:9901";
}

static json_t *cancel_command(const struct ledger *ledger, const char *change)
{
    char command[COMMAND_TEXT];
    char url[CONFIG_URL_TEXT];

    (void)snprintf(command, sizeof(command),
                   "curl -X POST -H \"Authorization: Bearer $TWOKEY_TOKEN\" "
                   "%s/v1/changes/%s/cancel",
                   url_of(ledger, url), change);
    return json_string(command);
}

/* null: there is nothing to go back to. */
static json_t *rollback_command(const struct ledger *ledger)
{
    char command[COMMAND_TEXT];
    char url[CONFIG_URL_TEXT];

    if (ledger->previous.rev == 0 || ledger->previous.rev == ledger->running.rev)
        return json_null();
    (void)snprintf(command, sizeof(command),
                   "curl -X POST -H \"Authorization: Bearer $TWOKEY_TOKEN\" "
                   "%s/v1/rollback -d '{\"to\":\"previous\"}'",
                   url_of(ledger, url));
    return json_string(command);
}

static json_t *of_pending(struct ledger *ledger)
{
    const struct pending_confirm *pending = &ledger->pending;
    const struct change *change = ledger_find(ledger, pending->change);

    return json_pack("{s:s, s:I, s:s?, s:o, s:I, s:b, s:o}", "change", pending->change, "revision",
                     (json_int_t)pending->rev, "author", change != NULL ? change->author : NULL,
                     "approvers", approvers_of(change), "applied_ms",
                     (json_int_t)pending->applied_wall_ms, "is_waiting", true, "revert",
                     cancel_command(ledger, pending->change));
}

static json_t *of_revision(struct ledger *ledger, const struct revision *revision)
{
    const struct change *change =
        revision->change[0] != '\0' ? ledger_find(ledger, revision->change) : NULL;
    int64_t applied_ms = change != NULL && change->applied_ms != 0 ? change->applied_ms
                         : revision->applied_ms != 0               ? revision->applied_ms
                                                                   : revision->created_ms;

    if (ledger_wall_ms(ledger) - applied_ms > SUSPECT_MS)
        return NULL;
    return json_pack("{s:s?, s:I, s:s?, s:o, s:I, s:b, s:o}", "change",
                     change != NULL ? change->id : NULL, "revision", (json_int_t)revision->rev,
                     "author", change != NULL ? change->author : revision->author, "approvers",
                     approvers_of(change), "applied_ms", (json_int_t)applied_ms, "is_waiting",
                     false, "revert", rollback_command(ledger));
}

json_t *ledger_suspect(struct ledger *ledger)
{
    struct revision revision = {0};
    json_t *suspect = NULL;

    CHECK_OBJ(ledger, LEDGER_TAG);
    if (ledger->pending.is_set)
        return of_pending(ledger);
    if (!revision_read(ledger, ledger->running.rev, &revision))
        return NULL;
    if (revision.from != 0 && revision.event != NULL && strcmp(revision.event, "rollback") != 0)
        suspect = of_revision(ledger, &revision);
    revision_fini(&revision);
    return suspect;
}
