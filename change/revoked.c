/*
 * revoked - changes that were applied with an approval that does not count any more: somebody had
 * the credential of a person since `revoked_since` (E-14).
 *
 * Looked for once for each configuration: nobody who is revoked can approve again.
 *
 * Owner    the ledger.      Threads  control
 */
#include "change/revoked.h"

#include <stdio.h>
#include <string.h>

#include "base/buffer.h"
#include "base/clock.h"
#include "base/memory.h"
#include "change/internal.h"
#include "config/load.h"
#include "config/model.h"

enum { SHOWN_MAX = 50 };

struct search {
    const struct configuration *conf;
    json_t *found; /* array of decisions, each with the id of its change */
};

static bool is_revoked(const struct configuration *conf, const char *name, int64_t at_ms)
{
    const struct conf_person *person = config_find_person(conf, name);

    return person != NULL && person->revoked_since_ms != 0 && at_ms >= person->revoked_since_ms;
}

/* change/<id>/appr/<iteration>/<person> */
static bool look_at(void *context, const char *key, struct slice value, uint64_t version)
{
    struct search *search = context;
    const char *id = key + strlen("change/");
    const char *slash = strchr(id, '/');
    json_t *decision;
    const char *person;

    (void)version;
    if (slash == NULL || strncmp(slash, "/appr/", strlen("/appr/")) != 0)
        return true;
    decision = json_loadb(value.at, value.len, 0, NULL);
    person = json_string_value(json_object_get(decision, "person"));
    if (person != NULL && !json_is_string(json_object_get(decision, "void")) &&
        is_revoked(search->conf, person, json_integer_value(json_object_get(decision, "at_ms")))) {
        json_object_set_new(decision, "change", json_stringn(id, (size_t)(slash - id)));
        json_array_append(search->found, decision);
    }
    json_decref(decision);
    return true;
}

static bool was_applied(struct ledger *ledger, const char *id)
{
    char key[16 + CHANGE_ID_TEXT];
    struct buffer bytes;
    json_t *stored = NULL;
    const char *state;
    bool is_applied;

    (void)snprintf(key, sizeof(key), "change/%s", id);
    buffer_init(&bytes);
    if (store_get(ledger->store, key, &bytes, NULL))
        stored = json_loadb(buffer_slice(&bytes).at, buffer_length(&bytes), 0, NULL);
    state = json_string_value(json_object_get(stored, "state"));
    is_applied = state != NULL && (strcmp(state, change_state_word(CHANGE_APPLIED)) == 0 ||
                                   strcmp(state, change_state_word(CHANGE_CONFIRMING)) == 0);
    json_decref(stored);
    buffer_fini(&bytes);
    return is_applied;
}

static json_t *alert_of(const json_t *decision)
{
    const char *id = json_string_value(json_object_get(decision, "change"));
    const char *person = json_string_value(json_object_get(decision, "person"));
    char since[CLOCK_RFC3339_TEXT];

    clock_rfc3339(json_integer_value(json_object_get(decision, "at_ms")), since);
    return json_pack("{s:s, s:s, s:s, s:o, s:s, s:s}", "name", "RevokedApproval", "severity",
                     "warning", "since", since, "summary",
                     json_sprintf("change %s was applied with an approval of %s that does not "
                                  "count any more",
                                  id, person),
                     "description",
                     "The person is revoked since a time before that approval: look at the change, "
                     "and take it back if nobody else would have approved it. This ends when "
                     "`revoked_since` is taken out of the configuration.",
                     "change", id);
}

static bool is_anybody_revoked(const struct configuration *conf)
{
    for (size_t i = 0; i < conf->person_count; i++)
        if (conf->people[i].revoked_since_ms != 0)
            return true;
    return false;
}

static json_t *search_all(struct ledger *ledger, const struct configuration *conf)
{
    struct search search = {.conf = conf, .found = json_array()};
    json_t *alerts = json_array();
    size_t i;
    json_t *decision;

    if (is_anybody_revoked(conf))
        store_list(ledger->store, "change/", NULL, true, look_at, &search);
    json_array_foreach(search.found, i, decision)
    {
        const char *id = json_string_value(json_object_get(decision, "change"));

        if (json_array_size(alerts) < SHOWN_MAX && was_applied(ledger, id))
            json_array_append_new(alerts, alert_of(decision));
    }
    json_decref(search.found);
    return alerts;
}

void revoked_add_alerts(struct ledger *ledger, json_t *list)
{
    const struct configuration *conf = ledger_running_conf(ledger);

    if (conf == NULL)
        return;
    if (ledger->revoked.alerts == NULL || strcmp(ledger->revoked.searched, conf->digest) != 0) {
        json_decref(ledger->revoked.alerts);
        ledger->revoked.alerts = search_all(ledger, conf);
        (void)snprintf(ledger->revoked.searched, sizeof(ledger->revoked.searched), "%s",
                       conf->digest);
    }
    json_array_extend(list, ledger->revoked.alerts);
}
