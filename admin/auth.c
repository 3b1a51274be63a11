/*
 * auth - see auth.h.
 *
 * Every hash of every person is compared in full, whatever the token says, so that the time taken
 * tells nothing about those that are known.
 *
 * Owner    the call.      Threads  control only
 */
#include "admin/auth.h"

#include <inttypes.h>
#include <string.h>

#include "admin/call.h"
#include "admin/internal.h"
#include "admin/operations.h"
#include "admin/problem.h"
#include "admin/visit.h"
#include "base/arena.h"
#include "base/clock.h"
#include "base/digest.h"
#include "base/hash.h"
#include "base/log.h"
#include "change/audit.h"
#include "change/ledger.h"
#include "config/load.h"
#include "config/model.h"
#include "proxy/snapshot.h"

static const char token_prefix[] = "tk_";
enum { TOKEN_SECRET = 43, TOKEN_MAX = 3 + 63 + 1 + TOKEN_SECRET, WHO_CAN_MAX = 50 };
enum { LOCAL_ROLES = ROLE_VIEWER | ROLE_AUTHOR | ROLE_OPERATOR | ROLE_AUDITOR };

static const struct {
    const char *word;
    unsigned role;
} roles[] = {
    {"viewer", ROLE_VIEWER},         {"author", ROLE_AUTHOR}, {"operator", ROLE_OPERATOR},
    {"approver", ROLE_APPROVER},     {"admin", ROLE_ADMIN},   {"auditor", ROLE_AUDITOR},
    {"breakglass", ROLE_BREAKGLASS},
};
enum { ROLES = sizeof(roles) / sizeof(roles[0]) };

static const struct configuration *running(const struct call *call)
{
    const struct snapshot *snapshot = admin_snapshot(call->admin);

    return snapshot != NULL ? snapshot->conf : NULL;
}

static bool is_in_force(const struct conf_person *person)
{
    return !person->is_disabled &&
           (person->revoked_since_ms == 0 || clock_wall_ms() < person->revoked_since_ms);
}

/* ---- tokens ---- */

static bool has_credential(const struct call *call)
{
    return call->authorization.len > 0;
}

/* The scheme's name is not case-sensitive (RFC 9110 §11.1). */
static struct slice bearer_of(const struct call *call)
{
    struct slice text = call->authorization;
    struct slice scheme = SLICE("Bearer ");

    if (text.len <= scheme.len || !slice_equal_nocase(slice_of(text.at, scheme.len), scheme))
        return SLICE("");
    return slice_trim(slice_after(text, scheme.len));
}

/* tk_<person>_<43>: the person's name; empty when it is no token. */
static struct slice name_in(struct slice token)
{
    size_t prefix = strlen(token_prefix);

    if (token.len > TOKEN_MAX || token.len <= prefix + 1 + TOKEN_SECRET ||
        !slice_starts_with(token, SLICE("tk_")) || token.at[token.len - TOKEN_SECRET - 1] != '_')
        return SLICE("");
    return slice_of(token.at + prefix, token.len - prefix - TOKEN_SECRET - 1);
}

/* Whose token it is.  It must name its person too: a hash that stands under somebody else's name
 * does not make one human two. */
static const struct conf_person *find_by_token(const struct configuration *conf, struct slice token,
                                               const struct conf_token **token_out)
{
    struct digest digest = digest_of(token);
    const struct conf_person *found = NULL;

    for (size_t i = 0; i < conf->person_count; i++)
        for (size_t j = 0; j < conf->people[i].token_count; j++)
            if (digest_equal(conf->people[i].tokens[j].hash, digest.bytes, DIGEST_BYTES)) {
                found = &conf->people[i];
                *token_out = &conf->people[i].tokens[j];
            }
    if (found == NULL || !slice_equal(name_in(token), slice_from(found->name)))
        return NULL;
    return found;
}

static const struct conf_person *find_by_uid(const struct configuration *conf, int64_t uid)
{
    for (size_t i = 0; i < conf->person_count; i++)
        for (size_t j = 0; j < conf->people[i].uid_count; j++)
            if (uid >= 0 && conf->people[i].uids[j] == (uint64_t)uid)
                return &conf->people[i];
    return NULL;
}

/* ---- certificates ---- */

/* Which of the names that his certificate is for stands under his; NULL: none. */
static const char *name_shown(const struct call *call, const struct conf_person *person)
{
    const struct call_certificate *certificate = &call->certificate;

    for (size_t i = 0; i < person->certificate_names.count; i++)
        for (size_t j = 0; j < certificate->name_count; j++)
            if (slice_equal_nocase(slice_from(person->certificate_names.items[i]),
                                   slice_from(certificate->names[j])))
                return person->certificate_names.items[i];
    return NULL;
}

/* Whose certificate it is; NULL: nobody's.  False: it stands for two people, which is nobody. */
static bool find_by_certificate(const struct call *call, const struct configuration *conf,
                                const struct conf_person **person_out, const char **name_out)
{
    *person_out = NULL;
    for (size_t i = 0; i < conf->person_count; i++) {
        const char *name = name_shown(call, &conf->people[i]);

        if (name == NULL)
            continue;
        if (*person_out != NULL)
            return false;
        *person_out = &conf->people[i];
        *name_out = name;
    }
    return true;
}

/* ---- who it is ---- */

static void become(struct call *call, const struct conf_person *person, const char *auth,
                   const char *principal)
{
    struct actor *actor = &call->actor;

    actor->person = arena_strdup(call->arena, person->name);
    actor->auth = auth;
    actor->principal = principal;
    actor->roles = person->roles;
    actor->is_human = person->kind == PERSON_HUMAN;
}

/* Someone whom two credentials name is known by the token; two who are named are nobody: one of the
 * credentials is not where it should be. */
static const struct conf_person *by_token(struct call *call, const struct configuration *conf,
                                          const struct conf_person *shown, const char **why_out)
{
    const struct conf_token *token = NULL;
    const struct conf_person *person = find_by_token(conf, bearer_of(call), &token);

    *why_out = "this token is nobody's, or its person's no longer";
    if (person == NULL || !is_in_force(person))
        return NULL;
    if (shown != NULL && shown != person) {
        *why_out = arena_printf(call->arena,
                                "the token is %s's and the certificate %s's: call as "
                                "one of them",
                                person->name, shown->name);
        return NULL;
    }
    become(call, person, "token",
           arena_printf(call->arena, "token:%s", token->id != NULL ? token->id : "-"));
    return person;
}

static const struct conf_person *by_certificate(struct call *call, const struct conf_person *shown,
                                                const char *name, const char **why_out)
{
    *why_out = "this certificate is nobody's, or its person's no longer";
    if (call->certificate.why != NULL)
        *why_out = arena_printf(call->arena, "this certificate is not believed: %s",
                                call->certificate.why);
    if (shown == NULL || !is_in_force(shown))
        return NULL;
    become(call, shown, "certificate", arena_printf(call->arena, "certificate:%s", name));
    return shown;
}

static const struct conf_person *by_uid(struct call *call, const struct configuration *conf,
                                        const char **why_out)
{
    const struct conf_person *person = find_by_uid(conf, call->uid);

    *why_out = "the call needs Authorization: Bearer tk_...";
    if (person == NULL || !is_in_force(person))
        return NULL;
    become(call, person, "uid", arena_printf(call->arena, "uid:%" PRId64, call->uid));
    return person;
}

/* NULL and why: the credential stands for nobody, or there is none. */
static const struct conf_person *find_caller(struct call *call, const struct configuration *conf,
                                             const char **why_out)
{
    const struct conf_person *shown;
    const char *name = NULL;

    visit_look_at_certificate(call);
    if (!find_by_certificate(call, conf, &shown, &name)) {
        *why_out = "the names of this certificate stand for two people: it is neither's";
        return NULL;
    }
    if (has_credential(call))
        return by_token(call, conf, shown, why_out);
    if (call->certificate.is_shown)
        return by_certificate(call, shown, name, why_out);
    return by_uid(call, conf, why_out);
}

/* ---- those who fail ---- */

/* Evidence; without a history there is no place for it. */
static void note_attempt(struct call *call, const char *event)
{
    struct audit_event attempt = {.event = event, .outcome = "denied"};

    if (call->admin->options.ledger == NULL)
        return;
    attempt.data = json_pack("{s:s}", "operation", call->operation->id);
    audit_attempt(ledger_audit(call->admin->options.ledger), &call->actor, &attempt);
}

/* True when this one is past the limit; *wait_s_out says for how long. */
static bool count_failure(struct call *call, unsigned *wait_s_out)
{
    struct auth_failures *failures = &call->admin->failures;
    size_t index = hash_slice(&HASH_STABLE, slice_from(call->peer)) % AUTH_ADDRESSES;
    uint64_t now_ms = clock_ms();

    if (failures->places[index].count == 0 ||
        now_ms - failures->places[index].since_ms >= AUTH_WINDOW_MS) {
        failures->places[index].since_ms = now_ms;
        failures->places[index].count = 0;
    }
    if (failures->places[index].count < AUTH_TRIES) {
        failures->places[index].count++;
        return false;
    }
    *wait_s_out =
        (unsigned)((failures->places[index].since_ms + AUTH_WINDOW_MS - now_ms) / 1000) + 1;
    return true;
}

static void reply_slow_down(struct call *call, unsigned wait_s)
{
    reply_header(call, "Retry-After", arena_printf(call->arena, "%u", wait_s));
    problem_reply(call, PROBLEM_SLOW_DOWN, NULL,
                  "%d tries from %s failed within a minute; ask again in %u s (a valid token is "
                  "taken at once)",
                  AUTH_TRIES, call->peer, wait_s);
}

static void reply_unknown(struct call *call, const char *why)
{
    bool has_tried = has_credential(call) || call->certificate.is_shown;
    unsigned wait_s;

    note_attempt(call, "call.unauthenticated");
    if (has_tried) {
        log_event(EV_LOGIN_REFUSED, LOG_TEXT("source", call->peer),
                  LOG_TEXT("operation", call->operation->id));
        if (count_failure(call, &wait_s)) {
            reply_slow_down(call, wait_s);
            return;
        }
    }
    reply_header(call, "WWW-Authenticate", "Bearer realm=\"twokey\"");
    problem_reply(call, PROBLEM_UNAUTHENTICATED, "GET /v1/problems/unauthenticated", "%s", why);
}

/* ---- for somebody else ---- */

static bool act_for(struct call *call, const struct configuration *conf)
{
    const struct conf_person *person;
    const char *name;

    if (call->on_behalf_of.len == 0)
        return true;
    if (call->actor.is_human) {
        problem_reply(call, PROBLEM_FORBIDDEN, NULL,
                      "X-On-Behalf-Of is for services; %s is a human, and acts for nobody else",
                      call->actor.person);
        return false;
    }
    name = arena_slice(call->arena, call->on_behalf_of).at;
    person = config_find_person(conf, name);
    if (person == NULL || person->kind != PERSON_HUMAN || !is_in_force(person)) {
        problem_reply(call, PROBLEM_FORBIDDEN, NULL, "X-On-Behalf-Of: there is no person %s", name);
        return false;
    }
    call->actor.on_behalf_of = arena_strdup(call->arena, person->name);
    return true;
}

/* ---- */

static bool is_permission(const struct call *call, const char *word)
{
    return strcmp(call->operation->permission, word) == 0;
}

static bool needs_nobody(const struct call *call, const struct configuration *conf)
{
    return is_permission(call, "any") ||
           (is_permission(call, "metrics") && conf != NULL && conf->admin.metrics_public);
}

static void fill_circumstances(struct call *call)
{
    struct actor *actor = &call->actor;

    call->admin->calls++;
    actor->source = call->peer;
    actor->request = arena_printf(call->arena, "req_%" PRIx64, call->admin->calls);
    actor->is_on_socket = call->is_local;
    actor->uid = call->uid;
}

/* Nobody is configured, which only the modes advisory and off allow; from this machine. */
static bool is_open_to_all(const struct call *call, const struct configuration *conf)
{
    return conf->person_count == 0 && conf->policy.mode != POLICY_ENFORCED && !call->is_remote;
}

bool auth_identify(struct call *call)
{
    const struct configuration *conf = running(call);
    const char *why;

    fill_circumstances(call);
    if (conf == NULL) {
        call->actor.roles = ROLE_VIEWER; /* there is nothing to see yet, and nothing to change */
        if (is_permission(call, "any") || is_permission(call, "viewer") ||
            is_permission(call, "metrics"))
            return true;
        problem_reply(call, PROBLEM_NOT_RUNNING, "GET /v1/status", "no configuration runs yet");
        return false;
    }
    if (is_open_to_all(call, conf)) {
        call->actor.roles = LOCAL_ROLES;
        call->actor.is_human = true;
        return true;
    }
    call->actor.person = "nobody";
    if (find_caller(call, conf, &why) != NULL)
        return act_for(call, conf);
    if (needs_nobody(call, conf))
        return true;
    reply_unknown(call, why);
    return false;
}

/* ---- what he may ---- */

static unsigned role_of(struct slice word)
{
    for (size_t i = 0; i < ROLES; i++)
        if (slice_equal(slice_from(roles[i].word), word))
            return roles[i].role;
    return 0;
}

/* The roles of which one is needed; 0: none is. */
static unsigned roles_for(const char *permission)
{
    struct slice rest = slice_from(permission);
    unsigned needed = 0;

    if (strcmp(permission, "any") == 0 || strcmp(permission, "known") == 0)
        return 0;
    if (strcmp(permission, "viewer") == 0 || strcmp(permission, "metrics") == 0)
        return ~0U;
    while (rest.len > 0) {
        const char *bar = memchr(rest.at, '|', rest.len);
        size_t len = bar != NULL ? (size_t)(bar - rest.at) : rest.len;

        needed |= role_of(slice_trim(slice_of(rest.at, len)));
        rest = slice_after(rest, bar != NULL ? len + 1 : len);
    }
    return needed != 0 ? needed : 1U << 31; /* a word that is no role is nobody's */
}

static json_t *who_can(const struct configuration *conf, unsigned needed)
{
    json_t *list = json_array();

    for (size_t i = 0; i < conf->person_count && json_array_size(list) < WHO_CAN_MAX; i++)
        if ((conf->people[i].roles & needed) != 0 && is_in_force(&conf->people[i]))
            json_array_append_new(list, json_string(conf->people[i].name));
    return list;
}

static const char *role_text(struct call *call, unsigned needed)
{
    const char *text = NULL;

    if (needed == ~0U)
        return "a role";
    for (size_t i = 0; i < ROLES; i++)
        if ((needed & roles[i].role) != 0)
            text = text == NULL ? arena_printf(call->arena, "the role %s", roles[i].word)
                                : arena_printf(call->arena, "%s or %s", text, roles[i].word);
    return text != NULL ? text : "a role";
}

bool auth_permit(struct call *call)
{
    const struct configuration *conf = running(call);
    unsigned needed = needs_nobody(call, conf) ? 0 : roles_for(call->operation->permission);

    if (needed == 0 || (call->actor.roles & needed) != 0)
        return true;
    note_attempt(call, "call.forbidden");
    problem_reply_with(
        call, PROBLEM_FORBIDDEN, "GET /v1/whoami",
        json_pack("{s:o, s:o}", "needs", auth_role_words(needed == ~0U ? ROLE_VIEWER : needed),
                  "who_can", conf != NULL ? who_can(conf, needed) : json_array()),
        "%s has not %s that this call needs", call->actor.person, role_text(call, needed));
    return false;
}

bool auth_still_holds(struct call *call)
{
    const struct configuration *conf = running(call);
    unsigned needed = roles_for(call->operation->permission);
    const char *why;

    if (conf == NULL || is_open_to_all(call, conf) || needs_nobody(call, conf))
        return true;
    return find_caller(call, conf, &why) != NULL &&
           (needed == 0 || (call->actor.roles & needed) != 0);
}

json_t *auth_role_words(unsigned held)
{
    json_t *list = json_array();

    for (size_t i = 0; i < ROLES; i++)
        if ((held & roles[i].role) != 0)
            json_array_append_new(list, json_string(roles[i].word));
    return list;
}

/* ---- secrets ---- */

bool auth_may_see_secrets(const struct call *call)
{
    return (call->actor.roles & (ROLE_ADMIN | ROLE_AUDITOR)) != 0;
}

static void mask_tokens(json_t *tokens)
{
    size_t i;
    json_t *token;

    json_array_foreach(tokens, i, token)
    {
        if (json_is_object(token))
            json_object_set_new(token, "hash", json_string("(secret)"));
        else
            json_array_set_new(tokens, i, json_string("(secret)"));
    }
}

void auth_mask(const struct call *call, json_t *configuration)
{
    const char *name;
    json_t *person;

    if (auth_may_see_secrets(call))
        return;
    json_object_foreach(json_object_get(configuration, "people"), name, person)
    {
        mask_tokens(json_object_get(person, "tokens"));
        if (json_object_get(person, "signing_key") != NULL)
            json_object_set_new(person, "signing_key", json_string("(secret)"));
    }
}

void auth_mask_change(const struct call *call, json_t *change)
{
    json_t *patch = json_object_get(change, "patch");

    if (auth_may_see_secrets(call) || json_object_get(patch, "people") == NULL)
        return;
    patch = json_deep_copy(patch); /* the ledger's own stays as it is */
    auth_mask(call, patch);
    json_object_set_new(change, "patch", patch);
}
