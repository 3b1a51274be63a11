/*
 * policy_people - who may approve, whether enough have, and whether enough could; see policy.h.
 *
 * A factor of n asks for n approvals from its group, and one person counts for one factor only: n
 * places, each taken by one person of that group (augmenting paths).
 *
 * Owner    results are the caller's      Threads  any
 */
#include "change/policy.h"

#include <stdio.h>
#include <string.h>

#include "base/memory.h"
#include "change/change.h"
#include "config/finding.h"
#include "config/load.h"
#include "config/model.h"

/* ---- people ---- */

static bool may_approve(const struct conf_person *person)
{
    return person->kind == PERSON_HUMAN && !person->is_disabled &&
           (person->roles & ROLE_APPROVER) != 0;
}

bool policy_may_approve(const struct configuration *conf, const char *person)
{
    const struct conf_person *found = config_find_person(conf, person);

    return found != NULL && may_approve(found);
}

static bool is_in_group(const struct conf_person *person, const char *group)
{
    for (size_t i = 0; i < person->groups.count; i++)
        if (strcmp(person->groups.items[i], group) == 0)
            return true;
    return false;
}

/* ---- places of factors ---- */

struct places {
    const char **groups; /* of each place */
    size_t count;
    const struct conf_person **people; /* who are there to take them */
    size_t person_count;
    size_t *taker; /* of each place: an index of people, or SIZE_MAX */
    bool *is_seen; /* of each place, during one search */
};

static void places_init(struct places *places, const json_t *factors, size_t people_room)
{
    *places = (struct places){0};
    for (size_t i = 0; i < json_array_size(factors); i++)
        places->count +=
            (size_t)json_integer_value(json_object_get(json_array_get(factors, i), "n"));
    places->groups = xcalloc(places->count + 1, sizeof(*places->groups));
    places->taker = xcalloc(places->count + 1, sizeof(*places->taker));
    places->is_seen = xcalloc(places->count + 1, sizeof(*places->is_seen));
    places->people = xcalloc(people_room + 1, sizeof(*places->people));
    for (size_t i = 0, at = 0; i < json_array_size(factors); i++) {
        const json_t *factor = json_array_get(factors, i);
        json_int_t n = json_integer_value(json_object_get(factor, "n"));

        for (json_int_t k = 0; k < n; k++)
            places->groups[at++] = json_string_value(json_object_get(factor, "group"));
    }
}

static void places_fini(struct places *places)
{
    xfree(places->groups);
    xfree(places->taker);
    xfree(places->is_seen);
    xfree(places->people);
}

/* NOLINTNEXTLINE(misc-no-recursion): as deep as there are places */
static bool find_place(struct places *places, size_t person)
{
    for (size_t i = 0; i < places->count; i++) {
        if (places->is_seen[i] || !is_in_group(places->people[person], places->groups[i]))
            continue;
        places->is_seen[i] = true;
        if (places->taker[i] == SIZE_MAX || find_place(places, places->taker[i])) {
            places->taker[i] = person;
            return true;
        }
    }
    return false;
}

/* How many places can be taken at once; the people at `but` and `but_too` are not there. */
static size_t places_fill(struct places *places, size_t but, size_t but_too)
{
    size_t taken = 0;

    for (size_t i = 0; i < places->count; i++)
        places->taker[i] = SIZE_MAX;
    for (size_t i = 0; i < places->person_count && taken < places->count; i++) {
        if (i == but || i == but_too)
            continue;
        memset(places->is_seen, 0, places->count * sizeof(*places->is_seen));
        taken += find_place(places, i);
    }
    return taken;
}

/* ---- whether it is approved ---- */

static bool is_first_of(const struct change *change, size_t index)
{
    for (size_t i = 0; i < index; i++)
        if (strcmp(change->decisions[i].person, change->decisions[index].person) == 0)
            return false;
    return true;
}

static const struct conf_person *who_counts(const struct configuration *conf,
                                            const struct change *change, size_t index)
{
    const struct change_decision *decision = &change->decisions[index];
    const struct conf_person *person = config_find_person(conf, decision->person);

    if (decision->is_veto || person == NULL || !may_approve(person))
        return NULL;
    if (person->revoked_since_ms != 0 && decision->at_ms >= person->revoked_since_ms)
        return NULL;
    if (change_has_contributor(change, person->name) ||
        strcmp(decision->digest, change->digest) != 0 || !is_first_of(change, index))
        return NULL;
    return person;
}

static json_t *missing_words(const struct places *places, uint32_t have, uint32_t required)
{
    json_t *missing = json_array();
    char text[128];

    if (have < required) {
        (void)snprintf(text, sizeof(text), "%u more approval%s", required - have,
                       required - have == 1 ? "" : "s");
        json_array_append_new(missing, json_string(text));
    }
    for (size_t i = 0; i < places->count; i++) {
        size_t last = i;
        unsigned open = 0;

        for (size_t n = i; n < places->count; n++) {
            if (strcmp(places->groups[n], places->groups[i]) != 0)
                break;
            open += places->taker[n] == SIZE_MAX;
            last = n;
        }
        if (open > 0) {
            (void)snprintf(text, sizeof(text), "%u more of group %s", open, places->groups[i]);
            json_array_append_new(missing, json_string(text));
        }
        i = last;
    }
    return missing;
}

static bool has_decided(const struct change *change, const char *person)
{
    for (size_t i = 0; i < change->decision_count; i++)
        if (strcmp(change->decisions[i].person, person) == 0)
            return true;
    return false;
}

static json_t *who_can(const struct configuration *conf, const struct change *change)
{
    json_t *names = json_array();

    for (size_t i = 0; i < conf->person_count; i++) {
        const struct conf_person *person = &conf->people[i];

        if (may_approve(person) && person->revoked_since_ms == 0 &&
            !change_has_contributor(change, person->name) && !has_decided(change, person->name))
            json_array_append_new(names, json_string(person->name));
    }
    return names;
}

bool policy_is_approved(const struct configuration *conf, const struct change *change,
                        uint32_t *have_out, json_t **missing_out, json_t **who_can_out)
{
    struct places places;
    uint32_t have;
    bool is_enough;

    places_init(&places, change->required_factors, change->decision_count);
    for (size_t i = 0; i < change->decision_count; i++) {
        const struct conf_person *person = who_counts(conf, change, i);

        if (person != NULL)
            places.people[places.person_count++] = person;
    }
    have = (uint32_t)places.person_count;
    is_enough =
        places_fill(&places, SIZE_MAX, SIZE_MAX) == places.count && have >= change->required;
    if (have_out != NULL)
        *have_out = have;
    if (missing_out != NULL)
        *missing_out = missing_words(&places, have, change->required);
    if (who_can_out != NULL)
        *who_can_out = who_can(conf, change);
    places_fini(&places);
    return is_enough;
}

/* ---- whether it could be: S005 ---- */

/* And what it then decides counts. */
static bool can_log_in(const struct configuration *conf, const struct conf_person *person)
{
    bool has_certificate =
        person->certificate_names.count > 0 && conf->admin.tls.client_ca_file != NULL;

    return person->revoked_since_ms == 0 &&
           (person->token_count > 0 || has_certificate || person->uid_count > 0);
}

/* With one person (the author) away, or besides any second one: the places can still be filled. */
static bool places_survive(struct places *places, bool second_too)
{
    if (places->count == 0)
        return true;
    for (size_t author = 0; author < places->person_count; author++) {
        if (!second_too && places_fill(places, author, SIZE_MAX) < places->count)
            return false;
        for (size_t other = author + 1; second_too && other < places->person_count; other++)
            if (places_fill(places, author, other) < places->count)
                return false;
    }
    return places_fill(places, SIZE_MAX, SIZE_MAX) == places->count;
}

static void check_counts(struct findings *findings, size_t approvers, size_t required)
{
    if (approvers < required + 1)
        finding_add(findings, FINDING_BLOCK, "S005", NULL, "/people",
                    "%zu people can approve, and a change of class 3 needs %zu besides its author "
                    "(at least %zu humans with the role approver and a token)",
                    approvers, required, required + 1)
            ->fix = approvers > 0 ? "add people, or ask for fewer approvals"
                                  : "add people (`twokey init --people ann,bob DIR` shows how), or "
                                    "set policy.mode to \"off\"";
    else if (approvers < required + 2)
        finding_add(findings, FINDING_WARNING, "S005", NULL, "/people",
                    "%zu people can approve: with one of them absent no change of class 3 can be "
                    "approved (at least %zu humans with the role approver and a token)",
                    approvers, required + 2)
            ->fix = "add one more";
}

static void check_groups(struct findings *findings, struct places *places)
{
    if (!places_survive(places, false))
        finding_add(findings, FINDING_BLOCK, "S005", NULL, "/policy/factors",
                    "cannot be met when one of the people who can approve is the author (one "
                    "person counts for one factor)")
            ->fix = "add people to the groups, or ask for fewer approvals";
    else if (!places_survive(places, true))
        finding_add(findings, FINDING_WARNING, "S005", NULL, "/policy/factors",
                    "cannot be met with one of the people who can approve absent, and another the "
                    "author")
            ->fix = "add people to the groups";
}

void policy_check_survivable(const struct configuration *conf, struct findings *findings)
{
    const struct conf_policy *policy = &conf->policy;
    size_t required = policy->approvals_high;
    json_t *factors;
    struct places places;

    if (policy->mode != POLICY_ENFORCED)
        return;
    factors = policy_factors(policy);
    places_init(&places, factors, conf->person_count);
    for (size_t i = 0; i < conf->person_count; i++)
        if (may_approve(&conf->people[i]) && can_log_in(conf, &conf->people[i]))
            places.people[places.person_count++] = &conf->people[i];
    if (required < policy->approvals_normal)
        required = policy->approvals_normal;
    if (required < places.count)
        required = places.count;
    check_counts(findings, places.person_count, required);
    check_groups(findings, &places);
    places_fini(&places);
    json_decref(factors);
}
