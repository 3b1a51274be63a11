/*
 * on_config - the running configuration, conf.d against it, and taking conf.d anew.
 *
 * Owner    the call.      Threads  control only
 */
#include "admin/operations.h"

#include "admin/asked.h"
#include "admin/auth.h"
#include "admin/call.h"
#include "admin/internal.h"
#include "admin/problem.h"
#include "base/arena.h"
#include "base/buffer.h"
#include "base/check.h"
#include "base/digest.h"
#include "base/memory.h"
#include "change/ledger.h"
#include "config/diff.h"
#include "config/finding.h"
#include "config/load.h"
#include "config/model.h"
#include "proxy/snapshot.h"

/* --- the running configuration ----------------------------------------------------------- */

/* NULL: the call was answered. */
static const struct configuration *running(struct call *call)
{
    const struct snapshot *snapshot = admin_snapshot(call->admin);

    if (snapshot != NULL)
        return snapshot->conf;
    problem_reply(call, PROBLEM_NOT_RUNNING, "GET /v1/status", "no configuration runs yet");
    return NULL;
}

static int append_json(const char *bytes, size_t count, void *body)
{
    buffer_append(body, bytes, count);
    return 0;
}

static json_t *parsed(const struct configuration *conf)
{
    json_t *all = json_loadb(conf->canonical, conf->canonical_bytes, 0, NULL);

    CHECK(all != NULL); /* config/canonical.c wrote it */
    return all;
}

void on_config(struct call *call)
{
    const struct configuration *conf = running(call);

    if (conf == NULL || reply_if_unchanged(call, conf->digest))
        return;
    if (conf->person_count == 0 || auth_may_see_secrets(call)) {
        buffer_append(&call->reply.body, conf->canonical, conf->canonical_bytes);
    } else {
        json_t *all = parsed(conf);

        auth_mask(call, all);
        CHECK(json_dump_callback(all, append_json, &call->reply.body,
                                 JSON_COMPACT | JSON_SORT_KEYS) == 0);
        json_decref(all);
    }
    reply_written(call, 200, reply_json_type);
}

/* The member `key` of `json`, or NULL. */
static json_t *member(struct call *call, json_t *json, struct slice key)
{
    char *name = arena_alloc(call->arena, key.len + 1);

    return json_object_get(json, slice_copy(key, name, key.len + 1));
}

/* The section, or the thing of that name in it; NULL: there is none. */
static json_t *find_part(struct call *call, json_t *all, struct slice section, struct slice name)
{
    json_t *part = member(call, all, section);

    return part != NULL && name.len > 0 ? member(call, part, name) : part;
}

static void write_json(const json_t *value, struct buffer *out)
{
    CHECK(json_dump_callback(value, append_json, out,
                             JSON_COMPACT | JSON_SORT_KEYS | JSON_ENCODE_ANY) == 0);
}

/* Its ETag is the digest of its own bytes, so that it stays while something else changes; also
 * where not all of them are shown. */
static bool is_unchanged(struct call *call, const json_t *part)
{
    struct buffer text;
    struct digest digest;
    char etag[DIGEST_TEXT];

    buffer_init(&text);
    write_json(part, &text);
    digest = digest_of(buffer_slice(&text));
    buffer_fini(&text);
    return reply_if_unchanged(call, arena_strdup(call->arena, digest_text(&digest, etag)));
}

static void reply_named_part(struct call *call, struct slice section, struct slice name)
{
    const struct configuration *conf = running(call);
    json_t *all;
    json_t *part;

    if (conf == NULL)
        return;
    all = parsed(conf);
    part = find_part(call, all, section, name);
    if (part == NULL) {
        problem_reply(call, PROBLEM_NOT_FOUND, "GET /v1/config",
                      "the running configuration has no /%.*s%s%.*s", SLICE_ARGS(section),
                      name.len > 0 ? "/" : "", SLICE_ARGS(name));
    } else if (!is_unchanged(call, part)) {
        auth_mask(call, all);
        write_json(part, &call->reply.body);
        buffer_append_literal(&call->reply.body, "\n");
        reply_written(call, 200, reply_json_type);
    }
    json_decref(all);
}

void on_config_section(struct call *call)
{
    reply_named_part(call, call->arguments[0], slice_of("", 0));
}

void on_config_item(struct call *call)
{
    reply_named_part(call, call->arguments[0], call->arguments[1]);
}

/* --- reload ------------------------------------------------------------------------------ */

/* What the reload holds on to; the caller may be gone before it ends. */
struct reload {
    struct call *call; /* NULL: gone */
};

static json_t *changes_json(const struct admin_reload_result *result)
{
    json_t *list = json_array();

    for (unsigned i = 0; i < result->change_count; i++)
        json_array_append_new(list, reply_string(slice_from(result->changes[i])));
    return list;
}

/* Mode enforced: what conf.d says has become a change, which others approve. */
static void reply_imported(struct call *call, json_t *change)
{
    const struct snapshot *snapshot = admin_snapshot(call->admin);
    const char *id = json_string_value(json_object_get(change, "id"));

    if (id == NULL) {
        reply_json(call, 200,
                   json_pack("{s:I, s:s, s:[], s:[], s:n, s:b, s:s}", "generation",
                             (json_int_t)snapshot->generation, "digest", snapshot->conf->digest,
                             "changes", "findings", "change", "drift", 0, "next",
                             "GET /v1/status"));
        return;
    }
    reply_header(call, "Location", arena_printf(call->arena, "/v1/changes/%s", id));
    reply_json(call, 202, json_incref(change));
}

static void reply_reloaded(struct call *call, const struct admin_reload_result *result)
{
    if (result->refusal != NULL) {
        problem_reply_refusal(call, result->refusal);
        return;
    }
    if (result->change != NULL) {
        reply_imported(call, result->change);
        return;
    }
    if (!result->ok) {
        bool has_findings = result->findings != NULL && result->findings->count > 0;
        problem_reply_findings(call, result->findings, "mend conf.d, then POST /v1/reload",
                               has_findings ? NULL : result->why);
        return;
    }
    reply_json(call, 200,
               json_pack("{s:I, s:s, s:o, s:o, s:s}", "generation", (json_int_t)result->generation,
                         "digest", result->digest, "changes", changes_json(result), "findings",
                         problem_findings_json(result->findings), "next", "GET /v1/status"));
}

static void on_reloaded(void *context, const struct admin_reload_result *result)
{
    struct reload *reload = context;
    struct call *call = reload->call;

    xfree(reload);
    if (call == NULL)
        return;
    call->handler_part = NULL;
    admin_notice_running(call->admin);
    reply_reloaded(call, result);
}

static void on_reload_gone(struct call *call)
{
    struct reload *reload = call->handler_part;

    reload->call = NULL;
}

void on_reload(struct call *call)
{
    const struct admin_options *options = &call->admin->options;
    struct reload *reload;

    if (!asked_nothing(call))
        return;
    reload = xcalloc(1, sizeof(*reload));
    reload->call = call;
    call->handler_part = reload;
    call->on_gone = on_reload_gone;
    options->reload(options->context, &call->actor, on_reloaded, reload);
}

/* --- drift ------------------------------------------------------------------------------- */

/* Mode enforced: conf.d as it was last taken over; what the API changed since is no drift.  NULL:
 * conf.d is held against what runs. */
static struct configuration *last_import(const struct call *call, const struct configuration *conf)
{
    static const char *const name = "the last import";
    struct ledger *ledger = call->admin->options.ledger;
    struct configuration *imported = NULL;
    struct findings findings;
    struct buffer bytes;
    struct slice document;

    if (ledger == NULL || conf->policy.mode != POLICY_ENFORCED)
        return NULL;
    buffer_init(&bytes);
    findings_init(&findings, call->arena);
    if (ledger_last_import(ledger, &bytes)) {
        document = buffer_slice(&bytes);
        imported = config_load_documents(&name, &document, 1, &findings);
    }
    findings_fini(&findings);
    buffer_fini(&bytes);
    return imported;
}

/* What a reload would change, in words; empty when the files do not build. */
static json_t *pending_json(struct call *call, const struct configuration *basis,
                            const struct configuration *disk)
{
    json_t *list = json_array();
    struct differences differences;

    if (disk == NULL)
        return list;
    config_diff(basis, disk, call->arena, &differences);
    for (size_t i = 0; i < differences.count; i++)
        json_array_append_new(list, reply_string(slice_from(differences.items[i].text)));
    differences_fini(&differences);
    return list;
}

static json_t *drift_json(struct call *call, const struct configuration *conf,
                          const struct configuration *imported, const struct configuration *disk,
                          const struct findings *findings)
{
    const char *directory = call->admin->options.configuration_directory;
    const struct configuration *basis = imported != NULL ? imported : conf;
    bool has_drift = disk == NULL || strcmp(disk->digest, basis->digest) != 0;
    json_t *json = json_object();

    json_object_set_new(json, "drift", json_boolean(has_drift));
    json_object_set_new(json, "directory", reply_string(slice_from(directory)));
    json_object_set_new(json, "running", json_string(conf->digest));
    json_object_set_new(json, "imported",
                        reply_string_or_null(imported != NULL ? imported->digest : NULL));
    json_object_set_new(json, "disk", reply_string_or_null(disk != NULL ? disk->digest : NULL));
    json_object_set_new(json, "builds", json_boolean(disk != NULL));
    json_object_set_new(json, "changes", pending_json(call, basis, disk));
    json_object_set_new(json, "findings", problem_findings_json(findings));
    if (has_drift)
        json_object_set_new(json, "next",
                            json_string(disk != NULL ? "POST /v1/reload" : "mend conf.d"));
    return json;
}

void on_drift(struct call *call)
{
    const struct configuration *conf = running(call);
    struct configuration *disk, *imported;
    struct findings findings;

    if (conf == NULL)
        return;
    imported = last_import(call, conf);
    findings_init(&findings, call->arena);
    disk = config_load(call->admin->options.configuration_directory, &findings);
    reply_json(call, 200, drift_json(call, conf, imported, disk, &findings));
    config_free(&imported);
    config_free(&disk);
    findings_fini(&findings);
}
