/*
 * import - conf.d as a source: taken over as it is (the first start; modes advisory and off), or
 * made into a change (mode enforced) of what it says beyond the last import.
 *
 * The last import moves when the change made of it is applied: until then conf.d is adrift.
 *
 * Owner    the ledger.      Threads  control
 */
#include "change/import.h"

#include <dirent.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/buffer.h"
#include "base/check.h"
#include "base/memory.h"
#include "change/activity.h"
#include "change/files.h"
#include "change/merge.h"
#include "change/refusal.h"
#include "config/load.h"
#include "config/model.h"

enum { PATH_TEXT = 4096 };

/* ---- the last import ---- */

bool import_digest(struct ledger *ledger, char digest_out[DIGEST_TEXT])
{
    json_t *stored = stored_json(ledger, "import", NULL);
    const char *digest = json_string_value(json_object_get(stored, "digest"));
    bool is_there = digest != NULL && strlen(digest) == DIGEST_TEXT - 1;

    if (is_there)
        memcpy(digest_out, digest, DIGEST_TEXT);
    json_decref(stored);
    return is_there;
}

bool ledger_last_import(struct ledger *ledger, struct buffer *out)
{
    char digest[DIGEST_TEXT];

    return import_digest(ledger, digest) && ledger_blob(ledger, digest, out);
}

static void put_import(struct step *step, const char *digest)
{
    json_t *value = json_pack("{s:s, s:I}", "digest", digest, "at_ms",
                              (json_int_t)ledger_wall_ms(step->ledger));

    step_put_json(step, "import", value);
    json_decref(value);
}

void import_took_over(struct step *step, const struct change *change)
{
    if (change->import_digest[0] != '\0')
        put_import(step, change->import_digest);
}

bool ledger_has_drift(struct ledger *ledger, const char *disk_digest)
{
    const struct configuration *running = ledger_running_conf(ledger);
    char last[DIGEST_TEXT];

    if (disk_digest == NULL || running == NULL)
        return disk_digest == NULL;
    if (running->policy.mode != POLICY_ENFORCED)
        return strcmp(disk_digest, running->digest) != 0;
    return !import_digest(ledger, last) || strcmp(disk_digest, last) != 0;
}

/* ---- taken over as it is ---- */

/* What its files hold is what the running revision has. */
static bool has_same_files(struct ledger *ledger, const struct configuration *conf)
{
    struct revision running = {0};
    struct files files;
    json_t *map;
    bool is_same;

    if (!revision_read(ledger, ledger->running.rev, &running))
        return false;
    files_of(conf, &files);
    map = files_map(&files);
    is_same = json_equal(map, running.files);
    json_decref(map);
    files_fini(&files);
    revision_fini(&running);
    return is_same;
}

static bool is_unchanged(struct ledger *ledger, const struct configuration *conf)
{
    char last[DIGEST_TEXT];

    return has_same_files(ledger, conf) && ledger->running.rev != 0 &&
           ledger->boot.rev == ledger->running.rev &&
           strcmp(ledger->running.digest, conf->digest) == 0 && import_digest(ledger, last) &&
           strcmp(last, conf->digest) == 0;
}

static bool put_files(struct step *step, const struct configuration *conf, json_t **map_out,
                      struct refusal *refusal)
{
    struct files files;
    bool ok;

    files_of(conf, &files);
    ok = files_put(step, &files, refusal);
    *map_out = files_map(&files);
    files_fini(&files);
    return ok;
}

static bool put_adopted(struct step *step, const struct configuration *conf, const char *event,
                        struct refusal *refusal)
{
    struct ledger *ledger = step->ledger;
    char digest[DIGEST_TEXT];
    struct revision revision = {
        .rev = ledger->newest_rev + 1,
        .from = ledger->running.rev,
        .created_ms = ledger_wall_ms(ledger),
        .applied_ms = ledger_wall_ms(ledger),
        .author = (char *)(uintptr_t)step->actor->person,
        .event = (char[]){"import"},
    };
    bool ok = put_files(step, conf, &revision.files, refusal);

    step_put_blob(step, slice_of(conf->canonical, conf->canonical_bytes), digest);
    memcpy(revision.digest, digest, sizeof(revision.digest));
    revision_write(step, &revision);
    pointer_put(step, "running", &ledger->running, revision.rev, digest);
    pointer_put(step, "boot", &ledger->boot, revision.rev, digest);
    if (ledger->boot.rev != 0)
        pointer_put(step, "previous", &ledger->previous, ledger->boot.rev, ledger->boot.digest);
    put_import(step, digest);
    step_audit(step, event, NULL, digest,
               json_pack("{s:I, s:I}", "rev", (json_int_t)revision.rev, "from",
                         (json_int_t)revision.from));
    json_decref(revision.files);
    return ok;
}

bool ledger_adopt(struct ledger *ledger, const struct actor *actor,
                  const struct configuration *conf, const char *event, struct refusal *refusal)
{
    uint64_t before = ledger->running.rev;
    struct step step;

    CHECK_OBJ(ledger, LEDGER_TAG);
    /* What runs would be published once more, and end what is tried beside it. */
    if (ledger->pending.trying.percent == 0 && is_unchanged(ledger, conf))
        return true;
    if (ledger->pending.is_set)
        return refuse(refusal, "confirm-pending", "GET /v1/status",
                      "change %s waits for its confirmation", ledger->pending.change);
    if (ledger->serving.undurable != NULL)
        return refuse(
            refusal, "audit-unavailable", "GET /v1/status",
            "a rollback runs that could not be recorded yet; nothing else is done before");
    step_begin(&step, ledger, actor);
    if (!put_adopted(&step, conf, event, refusal)) {
        step_abandon(&step);
        return false;
    }
    if (conf->policy.mode == POLICY_ENFORCED)
        step_put_json(&step, "unreviewed", json_true());
    ledger->running.rev = ledger->newest_rev + 1; /* others are held against it */
    ledger_make_stale(ledger, &step, NULL);
    if (!step_commit(&step, refusal)) {
        ledger->running.rev = before;
        return false;
    }
    ledger->newest_rev++;
    serving_reload(ledger);
    lkg_start(ledger);
    gate_start(ledger, 0);
    return true;
}

/* ---- the mode ---- */

static const char *const mode_words[] = {
    [POLICY_ENFORCED] = "enforced", [POLICY_ADVISORY] = "advisory", [POLICY_OFF] = "off"};

static enum conf_policy_mode mode_of(const json_t *content)
{
    const char *mode =
        json_string_value(json_object_get(json_object_get(content, "policy"), "mode"));

    for (size_t i = 0; mode != NULL && i < sizeof(mode_words) / sizeof(mode_words[0]); i++) {
        if (strcmp(mode, mode_words[i]) == 0)
            return (enum conf_policy_mode)i;
    }
    return POLICY_ENFORCED;
}

static struct configuration *with_mode(const struct configuration *conf, enum conf_policy_mode mode,
                                       struct findings *findings)
{
    json_t *content = json_loadb(conf->canonical, conf->canonical_bytes, 0, NULL);
    struct configuration *result;
    json_t *policy;
    size_t bytes;
    char *text;

    CHECK(content != NULL);
    policy = json_object_get(content, "policy");
    if (policy == NULL) {
        policy = json_object();
        json_object_set_new(content, "policy", policy);
    }
    json_object_set_new(policy, "mode", json_string(mode_words[mode]));
    text = merge_canonical(content, &bytes);
    json_decref(content);
    result = ledger_parse(slice_of(text, bytes), "conf.d", findings);
    xfree(text);
    return result;
}

struct configuration *ledger_keep_mode(struct ledger *ledger, struct configuration *conf,
                                       bool *was_weaker_out, struct findings *findings)
{
    json_t *stored = ledger->boot.rev != 0 ? ledger_blob_json(ledger, ledger->boot.digest) : NULL;
    enum conf_policy_mode mode = mode_of(stored);
    struct configuration *kept;

    *was_weaker_out = stored != NULL && conf->policy.mode > mode;
    json_decref(stored);
    if (!*was_weaker_out)
        return conf;
    kept = with_mode(conf, mode, findings);
    config_free(&conf);
    return kept;
}

/* ---- made into a change ---- */

/* Those people whose uid owns a document: they may have written it. */
static void add_owners(json_t *people, const struct configuration *running, uid_t uid)
{
    for (size_t p = 0; p < running->person_count; p++) {
        const struct conf_person *person = &running->people[p];

        for (size_t i = 0; i < person->uid_count; i++) {
            if (person->uids[i] == uid)
                json_object_set_new(people, person->name, json_true());
        }
    }
}

/* An object with a member for each. */
static json_t *find_owners(struct ledger *ledger)
{
    const struct configuration *running = ledger_running_conf(ledger);
    const char *directory = ledger->options.config_directory;
    json_t *people = json_object();
    DIR *dir = directory != NULL ? opendir(directory) : NULL;
    struct dirent *entry;

    while (dir != NULL && (entry = readdir(dir)) != NULL) {
        char path[PATH_TEXT];
        struct stat status;
        size_t bytes = strlen(entry->d_name);

        if (bytes < 6 || strcmp(entry->d_name + bytes - 5, ".json") != 0)
            continue;
        (void)snprintf(path, sizeof(path), "%s/%s", directory, entry->d_name);
        if (stat(path, &status) == 0)
            add_owners(people, running, status.st_uid);
    }
    if (dir != NULL)
        (void)closedir(dir);
    return people;
}

static bool exclude_owners(struct ledger *ledger, const struct actor *actor, const char *id,
                           struct refusal *refusal)
{
    struct change *change = ledger_open_change(ledger, id);
    json_t *owners = find_owners(ledger);
    json_t *added = json_array();
    const char *name;
    json_t *is_owner;
    struct step step;
    bool is_done = true;

    json_object_foreach(owners, name, is_owner)
    {
        if (change != NULL && !change_has_contributor(change, name))
            json_array_append_new(added, json_string(name));
    }
    if (json_array_size(added) > 0) {
        step_begin(&step, ledger, actor);
        json_array_extend(change->contributors, added);
        change_write(&step, change);
        step_audit(&step, "import.owners", id, NULL, json_pack("{s:O}", "contributors", added));
        is_done = step_commit(&step, refusal);
    }
    json_decref(added);
    json_decref(owners);
    return is_done;
}

/* The change that was made of the same conf.d and is still open, or NULL. */
static struct change *find_made(struct ledger *ledger, const char *digest)
{
    for (size_t i = 0; i < ledger->open_count; i++) {
        if (strcmp(ledger->open[i]->import_digest, digest) == 0)
            return ledger->open[i];
    }
    return NULL;
}

/* What nobody has looked at yet, and conf.d does not say any more. */
static void withdraw_older(struct ledger *ledger)
{
    struct actor system = actor_system("import");

    for (size_t i = ledger->open_count; i-- > 0;) {
        struct change *change = ledger->open[i];
        struct step step;

        if (change->kind != CHANGE_KIND_IMPORT || change->state != CHANGE_DRAFT ||
            strcmp(change->author, system.person) != 0)
            continue;
        step_begin(&step, ledger, &system);
        change_move(&step, change, CHANGE_WITHDRAWN, "change.withdrawn",
                    json_pack("{s:s}", "why", "conf.d says something else by now"));
        (void)step_commit(&step, NULL); /* it stays open then: no harm */
    }
}

static bool put_read(struct ledger *ledger, const struct actor *actor,
                     const struct configuration *conf, bool is_level, struct refusal *refusal)
{
    char digest[DIGEST_TEXT];
    struct step step;

    step_begin(&step, ledger, actor);
    step_put_blob(&step, slice_of(conf->canonical, conf->canonical_bytes), digest);
    if (is_level)
        put_import(&step, digest);
    step_audit(&step, is_level ? "import.level" : "import.read", NULL, digest, NULL);
    return step_commit(&step, refusal);
}

static bool create(struct ledger *ledger, const struct actor *actor, json_t *merged,
                   const struct create_options *options, json_t **answer, struct refusal *refusal)
{
    json_t *running = ledger_running_json(ledger);
    json_t *request = json_pack("{s:s, s:s, s:O, s:o}", "title", "conf.d has changed", "reason",
                                "what conf.d says beyond its last import", "config", merged,
                                "deletes", merge_deletions(running, merged));
    bool is_done = ledger_create(ledger, actor, request, options, answer, refusal);
    char id[CHANGE_ID_TEXT];

    json_decref(running);
    json_decref(request);
    if (!is_done)
        return false;
    (void)snprintf(id, sizeof(id), "%s", json_string_value(json_object_get(*answer, "id")));
    json_decref(*answer);
    *answer = NULL;
    if (!exclude_owners(ledger, actor, id, refusal))
        return false;
    *answer = change_shown(ledger, ledger_find(ledger, id));
    return true;
}

/* Asked for again: who asks is a contributor too, as long as that can be changed. */
static bool join(struct ledger *ledger, const struct actor *actor, struct change *change,
                 json_t **answer, struct refusal *refusal)
{
    struct step step;

    if (change->state == CHANGE_DRAFT && strcmp(actor->auth, "system") != 0 &&
        !change_has_contributor(change, actor->person)) {
        step_begin(&step, ledger, actor);
        json_array_append_new(change->contributors, json_string(actor->person));
        change_write(&step, change);
        step_audit(&step, "import.owners", change->id, NULL,
                   json_pack("{s:[s]}", "contributors", actor->person));
        if (!step_commit(&step, refusal))
            return false;
    }
    *answer = change_shown(ledger, change);
    return true;
}

/* What conf.d says beyond the last import, on top of what runs. */
static json_t *merge_onto_running(struct ledger *ledger, const struct configuration *conf,
                                  json_t **conflicts_out, bool *is_level_out)
{
    char last_digest[DIGEST_TEXT];
    json_t *running = ledger_running_json(ledger);
    json_t *disk = json_loadb(conf->canonical, conf->canonical_bytes, 0, NULL);
    json_t *last =
        import_digest(ledger, last_digest) ? ledger_blob_json(ledger, last_digest) : NULL;
    json_t *merged = merge_three_way(last != NULL ? last : running, disk, running, conflicts_out);

    *is_level_out = json_equal(merged, running) && json_array_size(*conflicts_out) == 0;
    json_decref(last);
    json_decref(disk);
    json_decref(running);
    return merged;
}

bool ledger_import(struct ledger *ledger, const struct actor *actor,
                   const struct configuration *conf, json_t **answer, struct refusal *refusal)
{
    struct create_options options = {.kind = CHANGE_KIND_IMPORT, .import_digest = conf->digest};
    json_t *conflicts = NULL;
    struct change *made;
    json_t *merged;
    bool is_level;
    bool is_done;

    CHECK_OBJ(ledger, LEDGER_TAG);
    ledger_enter(ledger);
    *answer = json_null();
    if (!ledger_has_drift(ledger, conf->digest))
        return true;
    made = find_made(ledger, conf->digest);
    if (made != NULL)
        return join(ledger, actor, made, answer, refusal);
    if (!ledger_may_write(ledger, actor, refusal))
        return false;
    withdraw_older(ledger);
    merged = merge_onto_running(ledger, conf, &conflicts, &is_level);
    options.conflicts = conflicts;
    is_done = put_read(ledger, actor, conf, is_level, refusal) &&
              (is_level || create(ledger, actor, merged, &options, answer, refusal));
    json_decref(merged);
    json_decref(conflicts);
    return is_done;
}
