/*
 * breakage - see breakage.h.
 *
 * Owner    the play      Threads  the first
 */
#include "cli/drill/breakage.h"

#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "cli/drill/drill.h"
#include "cli/drill/world.h"

enum { ID_TEXT = 64, CALL_PATH = 160 };

/* ---- one call ---- */

/* The answer (the caller's) of a call that must succeed, or NULL and `why`. */
static json_t *must(struct world *world, enum world_person person, const char *method,
                    const char *path, json_t *body, struct error *why)
{
    unsigned status;
    json_t *answer = world_call(world, person, method, path, body, &status);
    const json_t *first;
    const char *said;
    const char *message;

    if (status >= 200 && status < 300 && answer != NULL)
        return answer;
    first = json_array_get(json_object_get(answer, "errors"), 0);
    said = json_string_value(json_object_get(answer, "detail"));
    message = json_string_value(json_object_get(first, "message"));
    error_set(why, ERROR_CONFLICT, "%s %s was answered %u: %s%s%s", method, path, status,
              said == NULL ? "" : said, message == NULL ? "" : ": ",
              message == NULL ? "" : message);
    json_decref(answer);
    return NULL;
}

static bool must_do(struct world *world, enum world_person person, const char *id, const char *verb,
                    json_t *body, struct error *why)
{
    char path[CALL_PATH];
    json_t *answer;

    (void)snprintf(path, sizeof(path), "/v1/changes/%s/%s", id, verb);
    answer = must(world, person, "POST", path, body, why);
    json_decref(answer);
    return answer != NULL;
}

/* ---- a change on its way ---- */

static bool submit(struct world *world, const char *change, char id_out[ID_TEXT],
                   json_t **answer_out, struct error *why)
{
    *answer_out =
        must(world, WORLD_ANN, "POST", "/v1/changes?submit=true", world_json(change), why);
    if (*answer_out == NULL)
        return false;
    (void)snprintf(id_out, ID_TEXT, "%s", json_string_value(json_object_get(*answer_out, "id")));
    return true;
}

/* Bob's approval, and cat's where two are needed. */
static bool approve(struct world *world, const char *id, const json_t *change, struct error *why)
{
    static const enum world_person approvers[] = {WORLD_BOB, WORLD_CAT};
    json_int_t needed =
        json_integer_value(json_object_get(json_object_get(change, "approvals"), "required"));
    const char *digest = json_string_value(json_object_get(change, "digest"));

    for (json_int_t i = 0; i < needed && i < 2; i++)
        if (!must_do(world, approvers[i], id, "approvals",
                     json_pack("{s:s, s:s, s:s}", "digest", digest, "decision", "approve",
                               "comment", "looks good"),
                     why))
            return false;
    return true;
}

static bool open_breakglass(struct world *world, struct error *why)
{
    json_t *answer = must(world, WORLD_ANN, "POST", "/v1/breakglass",
                          world_json("{'reason':'it must be quick','incident':'INC-1'}"), why);

    json_decref(answer);
    return answer != NULL;
}

static bool run_change(const struct drill_step *step, struct world *world, struct error *why)
{
    char id[ID_TEXT];
    json_t *change;
    bool is_done;

    if (step->act == DRILL_FORCED && !open_breakglass(world, why))
        return false;
    if (!submit(world, step->change, id, &change, why))
        return false;
    is_done = step->act == DRILL_FORCED || approve(world, id, change, why);
    json_decref(change);
    if (is_done && step->act != DRILL_APPROVED)
        is_done = must_do(world, WORLD_ANN, id, "apply", NULL, why);
    if (is_done && (step->act == DRILL_CHANGE || step->act == DRILL_FORCED))
        is_done = must_do(world, WORLD_ANN, id, "confirm", NULL, why);
    return is_done;
}

bool breakage_do(const struct drill_step *step, struct world *world, struct site *site,
                 struct error *why)
{
    if (step->act != DRILL_SERVER)
        return run_change(step, world, why);
    site_set_mood(site, step->server, step->mood);
    return true;
}
