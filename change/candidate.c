/*
 * candidate - see candidate.h.
 *
 * Owner    on the caller's stack      Threads  control
 */
#include "change/candidate.h"

#include <stdio.h>
#include <string.h>

#include "base/arena.h"
#include "base/buffer.h"
#include "base/error.h"
#include "base/memory.h"
#include "change/actor.h"
#include "change/files.h"
#include "change/forecast.h"
#include "change/internal.h"
#include "change/merge.h"
#include "change/override.h"
#include "change/peak.h"
#include "change/refusal.h"
#include "change/traffic.h"
#include "config/contents.h"
#include "config/load.h"
#include "config/model.h"
#include "detect/detect.h"
#include "detect/impact.h"
#include "detect/share.h"

enum { ARENA_BLOCK = 8192 };

/* ---- the base ---- */

static bool load_base(struct candidate *candidate, const struct change *change)
{
    const struct configuration *running = ledger_running_conf(candidate->ledger);
    struct buffer bytes;

    if (running != NULL && strcmp(running->digest, change->base_digest) == 0) {
        candidate->base = running;
        candidate->base_json = ledger_running_json(candidate->ledger);
        return candidate->base_json != NULL;
    }
    buffer_init(&bytes);
    if (ledger_blob(candidate->ledger, change->base_digest, &bytes)) {
        struct findings ignored;

        findings_init(&ignored, candidate->arena);
        candidate->base_parsed = ledger_parse(buffer_slice(&bytes), "base", &ignored);
        candidate->base = candidate->base_parsed;
        candidate->base_json = json_loadb(buffer_slice(&bytes).at, buffer_length(&bytes), 0, NULL);
        findings_fini(&ignored);
    }
    buffer_fini(&bytes);
    return candidate->base != NULL && candidate->base_json != NULL;
}

bool candidate_init(struct candidate *candidate, struct ledger *ledger, const struct change *change,
                    struct refusal *refusal)
{
    *candidate = (struct candidate){.ledger = ledger, .arena = arena_new(ARENA_BLOCK)};
    findings_init(&candidate->findings, candidate->arena);
    if (load_base(candidate, change))
        return true;
    candidate_fini(candidate);
    return refuse(refusal, "base-stale", "POST /v1/changes",
                  "the base of the change (revision %llu) cannot be read any more",
                  (unsigned long long)change->base_rev);
}

static void drop_target(struct candidate *candidate)
{
    policy_verdict_clear(&candidate->verdict);
    impact_free(&candidate->impact);
    config_free(&candidate->target);
    json_decref(candidate->target_json);
    candidate->target_json = NULL;
    xfree(candidate->bytes);
    candidate->bytes = NULL;
}

void candidate_fini(struct candidate *candidate)
{
    drop_target(candidate);
    config_free(&candidate->base_parsed);
    json_decref(candidate->base_json);
    findings_fini(&candidate->findings);
    arena_free(&candidate->arena);
}

/* ---- the target ---- */

/* The bytes as a configuration has them, without comments; as they are where it does not build. */
static void keep_bytes(struct candidate *candidate)
{
    struct digest digest;

    if (candidate->target != NULL) {
        xfree(candidate->bytes);
        candidate->byte_count = candidate->target->canonical_bytes;
        candidate->bytes = xmalloc(candidate->byte_count + 1);
        memcpy(candidate->bytes, candidate->target->canonical, candidate->byte_count);
        candidate->bytes[candidate->byte_count] = '\0';
        json_decref(candidate->target_json);
        candidate->target_json = json_loadb(candidate->bytes, candidate->byte_count, 0, NULL);
    }
    digest = digest_of(slice_of(candidate->bytes, candidate->byte_count));
    digest_text(&digest, candidate->digest);
}

static bool has_server(const struct configuration *conf, const char *pool, const char *server)
{
    int index = config_find_pool(conf, pool);

    for (size_t i = 0; index >= 0 && i < conf->pools[index].server_count; i++) {
        if (strcmp(conf->pools[index].servers[i].name, server) == 0)
            return true;
    }
    return false;
}

static void check_overrides(struct candidate *candidate, const struct change *change)
{
    json_t *order;
    size_t i;

    json_array_foreach(change->overrides, i, order)
    {
        const char *pool = json_string_value(json_object_get(order, "pool"));
        const char *server = json_string_value(json_object_get(order, "server"));
        char pointer[64];

        if (has_server(candidate->target, pool, server))
            continue;
        (void)snprintf(pointer, sizeof(pointer), "/overrides/%zu", i);
        finding_add(&candidate->findings, FINDING_BLOCK, "config", NULL, pointer,
                    "there is no server %s in a pool %s", server, pool);
    }
}

/* What is done matters more than what it looks like: a rollback far back is of class 3. */
static void raise_to(struct candidate *candidate, uint32_t least_class)
{
    const struct conf_policy *policy = &candidate->base->policy;
    struct policy_verdict *verdict = &candidate->verdict;

    if (least_class <= verdict->class)
        return;
    verdict->class = least_class;
    if (least_class >= 3 && policy->mode != POLICY_OFF && verdict->required > 0 &&
        verdict->required < policy->approvals_high)
        verdict->required = policy->approvals_high;
    json_array_append_new(verdict->reasons, json_pack("{s:s, s:I, s:s}", "rule", "least-class",
                                                      "class", (json_int_t)least_class, "message",
                                                      "what it is made for is of this class"));
}

static void judge(struct candidate *candidate, const struct change *change)
{
    json_t *in_force = override_list(candidate->ledger);
    json_t *peaks = peak_all(candidate->ledger);
    json_t *used_routes = traffic_used_routes(candidate->ledger);
    json_t *used_hosts = traffic_used_hosts(candidate->ledger);
    struct policy_subject subject = {
        .base = candidate->base,
        .target = candidate->target,
        .base_json = candidate->base_json,
        .target_json = candidate->target_json,
        .override = change->override,
        .overrides = change->overrides,
        .in_force = in_force,
        .peaks = peaks,
        .used_routes = used_routes,
        .used_hosts = used_hosts,
        .impact = candidate->impact,
        .is_import = change->kind == CHANGE_KIND_IMPORT,
    };

    policy_judge(&subject, &candidate->verdict);
    json_decref(in_force);
    json_decref(peaks);
    json_decref(used_routes);
    json_decref(used_hosts);
    raise_to(candidate, change->least_class);
}

static enum detect_via via_of(const struct actor *author)
{
    if (author == NULL || strcmp(author->auth, "system") == 0)
        return DETECT_VIA_UNKNOWN;
    return author->is_on_socket ? DETECT_VIA_SOCKET : DETECT_VIA_TCP;
}

/* An expression that does not compile is a finding already (R010). */
static void forecast(struct candidate *candidate, const struct change *change)
{
    struct forecast_question question = {
        .ledger = candidate->ledger,
        .base = candidate->base,
        .target = candidate->target,
        .overrides = change->overrides,
    };
    struct error why = {0};

    candidate->impact = forecast_of(&question, &why);
}

/* Orders in force, or those that come with it, leave nobody of whom the configuration has some:
 * class X, as if they were configured so (D006). */
static void check_eligible(struct candidate *candidate)
{
    const struct impact *impact = candidate->impact;

    for (size_t i = 0; impact != NULL && i < impact->pool_count; i++) {
        const struct impact_pool *pool = &impact->pools[i];
        int index = config_find_pool(candidate->target, pool->name);
        struct share_pool shares;
        char pointer[256];

        if (index < 0 || !pool->has_eligible_before || pool->has_eligible_after ||
            !pool->is_reached)
            continue;
        share_pool_init(&shares, &candidate->target->pools[index]);
        (void)snprintf(pointer, sizeof(pointer), "/pools/%s/servers", pool->name);
        if (shares.in_service > 0)
            finding_add(&candidate->findings, FINDING_BLOCK, "D006", NULL, pointer,
                        "with the orders in force nobody of pool %s would serve the requests that "
                        "come to it",
                        pool->name)
                ->fix = "take the orders back that keep servers out, or leave one more in";
        share_pool_fini(&shares);
    }
}

/* What the detectors say of the target, and of the way to it from what runs. */
static void look_at(struct candidate *candidate)
{
    struct ledger *ledger = candidate->ledger;
    struct detect_traffic *traffic = traffic_known(ledger);
    struct detect_override *orders = xcalloc(ledger->override_count + 1, sizeof(*orders));
    struct detect_subject subject = {
        .target = candidate->target,
        .base = candidate->base,
        .now_ms = ledger_wall_ms(ledger),
        .traffic = traffic,
        .overrides = orders,
        .override_count = ledger->override_count,
        .freeze_reason = freeze_allows(ledger, NULL)
                             ? NULL
                             : json_string_value(json_object_get(ledger->freeze, "reason")),
        .via = via_of(candidate->author),
        .impact = candidate->impact,
    };

    for (size_t i = 0; i < ledger->override_count; i++)
        orders[i] = (struct detect_override){.pool = ledger->overrides[i].pool,
                                             .server = ledger->overrides[i].server,
                                             .state = ledger->overrides[i].state,
                                             .weight = ledger->overrides[i].weight};
    detect_run(&subject, &candidate->findings);
    traffic_free(&traffic);
    xfree(orders);
}

/* What its files hold, for the rules about certificates: the copies that were submitted, or the
 * disk as it is now.  What cannot be read is told at submission, by files_collect(). */
static void fill_contents(struct candidate *candidate, const struct change *change)
{
    struct contents_roots roots = {&candidate->target->process.file_roots,
                                   candidate->ledger->options.config_directory};
    struct findings ignored;

    findings_init(&ignored, candidate->arena);
    if (change->state != CHANGE_DRAFT)
        (void)files_fill(candidate->ledger, change->files, change->submitted_ms, candidate->target,
                         &ignored);
    else
        (void)contents_fill(candidate->target, contents_from_disk, &roots, &ignored);
    findings_fini(&ignored);
}

void candidate_set(struct candidate *candidate, json_t *target, const struct change *change)
{
    drop_target(candidate);
    candidate->target_json = target;
    candidate->bytes = merge_canonical(target, &candidate->byte_count);
    candidate->target = ledger_parse(slice_of(candidate->bytes, candidate->byte_count), "change",
                                     &candidate->findings);
    keep_bytes(candidate);
    if (candidate->target == NULL) {
        detect_add_fixes(&candidate->findings);
        return;
    }
    fill_contents(candidate, change);
    forecast(candidate, change);
    look_at(candidate);
    check_eligible(candidate);
    policy_check_survivable(candidate->target, &candidate->findings);
    check_overrides(candidate, change);
    judge(candidate, change);
}

void candidate_keep_conflicts(struct candidate *candidate, const struct change *change)
{
    json_t *row;
    size_t i;

    json_array_foreach(change->findings, i, row)
    {
        const char *rule = json_string_value(json_object_get(row, "rule"));

        if (rule != NULL && strcmp(rule, "conflict") == 0)
            finding_add(&candidate->findings, FINDING_BLOCK, "conflict", NULL,
                        json_string_value(json_object_get(row, "pointer")), "%s",
                        json_string_value(json_object_get(row, "message")));
    }
}

bool candidate_set_stored(struct candidate *candidate, const struct change *change,
                          struct refusal *refusal)
{
    json_t *target = ledger_blob_json(candidate->ledger, change->target_digest);

    if (target == NULL)
        return refuse(refusal, "digest-mismatch", NULL,
                      "the stored configuration of change %s does not hash to its digest",
                      change->id);
    candidate_keep_conflicts(candidate, change);
    candidate_set(candidate, target, change);
    return true;
}

json_t *candidate_diff(const struct candidate *candidate)
{
    return merge_diff(candidate->base_json, candidate->target_json);
}

/* ---- findings ---- */

static bool is_named(const struct change *change, const char *rule)
{
    json_t *name;
    size_t i;

    json_array_foreach(change->override, i, name)
    {
        if (strcmp(json_string_value(name), rule) == 0)
            return true;
    }
    return false;
}

/* A way back far behind is made of class 3 from the start, and has nobody to name rules: who
 * approves it sees its errors.  Where there is a block, nothing helps but a session of break-glass.
 */
static bool is_accepted_by(const struct change *change, const struct finding *finding,
                           bool in_session)
{
    if (finding->severity == FINDING_ERROR && change->least_class >= 3)
        return true;
    return is_named(change, finding->rule) &&
           (finding->severity == FINDING_ERROR ||
            (in_session && detect_is_overridable(finding->rule)));
}

bool candidate_may_submit(const struct candidate *candidate, const struct change *change,
                          bool overridable, struct refusal *refusal)
{
    struct findings reasons;
    bool may;

    findings_init(&reasons, candidate->arena);
    for (size_t i = 0; i < candidate->findings.count; i++) {
        const struct finding *finding = &candidate->findings.items[i];
        bool is_accepted = is_accepted_by(change, finding, overridable);

        if (finding->severity >= FINDING_ERROR && !is_accepted)
            finding_add(&reasons, finding->severity, finding->rule, NULL, finding->pointer, "%s",
                        finding->message)
                ->fix = finding->fix;
    }
    may = reasons.count == 0;
    if (!may && change->id[0] != '\0') {
        char next[96];

        (void)snprintf(next, sizeof(next), "PATCH /v1/changes/%s", change->id);
        (void)refuse_findings(
            refusal, "findings-block", next, &reasons,
            "%zu finding%s in the way (an error may be accepted by naming its rule "
            "in \"override\")",
            reasons.count, reasons.count == 1 ? " stands" : "s stand");
    } else if (!may) {
        (void)refuse_findings(refusal, "findings-block", "POST /v1/changes", &reasons,
                              "%zu finding%s in the way, so no change was made (an error may be "
                              "accepted by naming its rule in \"override\")",
                              reasons.count, reasons.count == 1 ? " stands" : "s stand");
    }
    findings_fini(&reasons);
    return may;
}

/* ---- what is told ---- */

static json_t *told_findings(const struct findings *findings)
{
    json_t *list = findings_json(findings);
    json_t *row;
    size_t i;

    json_array_foreach(list, i, row) json_object_del(row, "file");
    return list;
}

static void replace(json_t **holder, json_t *value)
{
    json_decref(*holder);
    *holder = value;
}

void candidate_describe(const struct candidate *candidate, struct change *change)
{
    memcpy(change->target_digest, candidate->digest, sizeof(change->target_digest));
    replace(&change->findings, told_findings(&candidate->findings));
    change->class = candidate->verdict.class;
    change->required = candidate->verdict.required;
    replace(&change->required_factors, candidate->verdict.factors != NULL
                                           ? json_deep_copy(candidate->verdict.factors)
                                           : json_array());
    replace(&change->policy_reasons, candidate->verdict.reasons != NULL
                                         ? json_deep_copy(candidate->verdict.reasons)
                                         : json_array());
}
