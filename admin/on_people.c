/*
 * on_people - who one is, and by what rules the configuration changes.
 *
 * Owner    the call.      Threads  control only
 */
#include "admin/operations.h"

#include <string.h>

#include "admin/auth.h"
#include "admin/call.h"
#include "admin/internal.h"
#include "admin/problem.h"
#include "base/clock.h"
#include "config/load.h"
#include "config/model.h"
#include "config/text.h"
#include "proxy/snapshot.h"

static json_t *groups_of(const struct conf_person *person)
{
    json_t *list = json_array();

    for (size_t i = 0; person != NULL && i < person->groups.count; i++)
        json_array_append_new(list, json_string(person->groups.items[i]));
    return list;
}

void on_whoami(struct call *call)
{
    const struct snapshot *snapshot = admin_snapshot(call->admin);
    const struct actor *actor = &call->actor;
    const struct conf_person *person =
        snapshot != NULL ? config_find_person(snapshot->conf, actor->person) : NULL;
    json_t *json =
        json_pack("{s:s, s:s, s:o, s:o, s:s?, s:s, s:s, s:s, s:s?}", "person", actor->person,
                  "kind", actor->is_human ? "human" : "service", "roles",
                  auth_role_words(actor->roles), "groups", groups_of(person), "owner",
                  person != NULL ? person->owner : NULL, "auth", actor->auth, "principal",
                  actor->principal, "source", actor->source, "on_behalf_of", actor->on_behalf_of);

    reply_json(call, 200, json);
}

/* ---- the policy ---- */

static json_t *duration(uint64_t ms)
{
    char text[32];

    return json_string(text_of_duration(ms, text));
}

static json_t *factors_json(const struct conf_policy *policy)
{
    json_t *list = json_array();

    for (size_t i = 0; i < policy->factor_count; i++)
        json_array_append_new(list, json_pack("{s:s, s:i}", "group", policy->factors[i].group,
                                              "approvals", (int)policy->factors[i].approvals));
    return list;
}

static json_t *clock_json(unsigned minutes)
{
    return json_sprintf("%02u:%02u", minutes / 60, minutes % 60);
}

static json_t *windows_json(const struct conf_policy *policy)
{
    static const char *const days[] = {"mon", "tue", "wed", "thu", "fri", "sat", "sun"};
    json_t *list = json_array();

    for (size_t i = 0; i < policy->window_count; i++) {
        const struct conf_window *window = &policy->windows[i];
        json_t *words = json_array();

        for (unsigned day = 0; day < 7; day++)
            if ((window->days & 1U << day) != 0)
                json_array_append_new(words, json_string(days[day]));
        json_array_append_new(list,
                              json_pack("{s:o, s:o, s:o}", "days", words, "from",
                                        clock_json(window->from), "to", clock_json(window->to)));
    }
    return list;
}

static json_t *freezes_json(const struct conf_policy *policy)
{
    json_t *list = json_array();

    for (size_t i = 0; i < policy->freeze_count; i++)
        json_array_append_new(list, json_pack("{s:o, s:o, s:s}", "from",
                                              reply_time(policy->freezes[i].from_ms), "to",
                                              reply_time(policy->freezes[i].to_ms), "reason",
                                              policy->freezes[i].reason));
    return list;
}

/* Who could approve something that somebody else wrote. */
static json_t *approvers_json(const struct configuration *conf)
{
    json_t *list = json_array();

    for (size_t i = 0; i < conf->person_count; i++)
        if (conf->people[i].kind == PERSON_HUMAN && !conf->people[i].is_disabled &&
            (conf->people[i].roles & ROLE_APPROVER) != 0)
            json_array_append_new(list, json_string(conf->people[i].name));
    return list;
}

static json_t *policy_json(const struct configuration *conf)
{
    static const char *const modes[] = {
        [POLICY_ENFORCED] = "enforced", [POLICY_ADVISORY] = "advisory", [POLICY_OFF] = "off"};
    const struct conf_policy *policy = &conf->policy;
    json_t *confirm = json_pack("{s:s, s:o, s:o}", "mode",
                                policy->confirm_mode == CONFIRM_AUTO ? "auto" : "manual",
                                "deadline", duration(policy->confirm_deadline_ms), "min_bake",
                                duration(policy->confirm_min_bake_ms));

    return json_pack(
        "{s:s, s:{s:i, s:i}, s:o, s:o, s:o, s:o, s:o, s:o, s:b, s:o}", "mode", modes[policy->mode],
        "approvals", "normal", (int)policy->approvals_normal, "high", (int)policy->approvals_high,
        "approval_expiry", duration(policy->approval_expiry_ms), "execution_expiry",
        duration(policy->execution_expiry_ms), "confirm", confirm, "factors", factors_json(policy),
        "windows", windows_json(policy), "freeze", freezes_json(policy), "keep_on_clean_rebase",
        policy->keep_on_clean_rebase, "approvers", approvers_json(conf));
}

void on_policy(struct call *call)
{
    const struct snapshot *snapshot = admin_snapshot(call->admin);

    if (snapshot != NULL)
        reply_json(call, 200, policy_json(snapshot->conf));
    else
        problem_reply(call, PROBLEM_NOT_RUNNING, "GET /v1/status", "no configuration runs yet");
}
