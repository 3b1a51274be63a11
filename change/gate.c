/*
 * gate - see gate.h: what the readings do to the change that waits, and to what soaks.
 *
 * What was seen is kept in memory only: a restart takes back what waits, and a soak begins anew.
 *
 * Owner    the ledger.      Threads  control
 */
#include "change/gate.h"

#include <stdio.h>
#include <string.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/memory.h"
#include "change/activity.h"
#include "change/refusal.h"

enum {
    STALE_MS = GATE_FAILS * GATE_TICK_MS, /* an older reading says nothing of now */
    RECORD_MS = 30 * 60 * 1000,
    TOLD_MS = 60 * 60 * 1000, /* so long an alert says that a change was taken back */
};

const char *gate_input_word(enum gate_input input)
{
    static const char *const words[GATE_INPUTS] = {
        [GATE_WORKERS] = "workers",           [GATE_ERRORS] = "errors",
        [GATE_LATENCY] = "latency",           [GATE_HEALTH] = "health",
        [GATE_DISTRIBUTION] = "distribution", [GATE_REFUSALS] = "refusals"};

    return words[input];
}

const char *gate_word_word(enum gate_word word)
{
    static const char *const words[] = {
        [GATE_INCONCLUSIVE] = "inconclusive", [GATE_PASS] = "pass", [GATE_FAIL] = "fail"};

    return words[word];
}

/* ---- what is looked at ---- */

void gate_start(struct ledger *ledger, uint64_t generation)
{
    struct gate *gate = &ledger->gate;

    json_decref(gate->prediction);
    json_decref(gate->changed);
    *gate = (struct gate){.generation = generation,
                          .since_ms = ledger_wall_ms(ledger),
                          .taken_back = gate->taken_back};
    for (unsigned i = 0; i < GATE_INPUTS; i++)
        (void)snprintf(gate->inputs[i].reading.why, GATE_WHY_TEXT, "no reading yet");
}

void gate_close(struct ledger *ledger)
{
    json_decref(ledger->gate.prediction);
    json_decref(ledger->gate.changed);
}

static bool is_waiting(const struct ledger *ledger)
{
    const struct change *change;

    if (!ledger->pending.is_set || ledger->pending.is_confirmed || ledger->activity != NULL)
        return false;
    change = ledger_open_change((struct ledger *)(uintptr_t)ledger, ledger->pending.change);
    return change != NULL && change->state == CHANGE_CONFIRMING;
}

static bool is_soaking(const struct ledger *ledger)
{
    return ledger->activity == NULL && !ledger->pending.is_set && ledger->running.rev != 0 &&
           ledger->running.rev != ledger->lkg.rev && ledger->running.rev == ledger->boot.rev &&
           ledger->serving.since_boot_ms != 0;
}

static json_t *revision_json(struct ledger *ledger, uint64_t rev)
{
    struct revision revision = {0};
    json_t *content = NULL;

    if (revision_read(ledger, rev, &revision))
        content = ledger_blob_json(ledger, revision.digest);
    revision_fini(&revision);
    return content;
}

void gate_start_change(struct ledger *ledger, uint64_t generation, const struct change *change)
{
    json_t *base = revision_json(ledger, ledger->pending.previous_rev);
    json_t *target = ledger_blob_json(ledger, change->target_digest);

    gate_start(ledger, generation);
    ledger->gate.changed = gate_changed_pools(base, target, change->overrides);
    ledger->gate.prediction = ledger_blob_json(ledger, change->impact_digest);
    memcpy(ledger->gate.change, change->id, sizeof(ledger->gate.change));
    json_decref(base);
    json_decref(target);
}

/* The one that is looked at: a share of the connections may have it beside what runs. */
static uint64_t revision_of(const struct ledger *ledger)
{
    return is_waiting(ledger) ? ledger->pending.rev : ledger->running.rev;
}

bool ledger_gate_subject(struct ledger *ledger, struct gate_subject *out)
{
    struct gate *gate = &ledger->gate;
    bool waits;

    CHECK_OBJ(ledger, LEDGER_TAG);
    waits = is_waiting(ledger);
    if (!waits && !is_soaking(ledger))
        return false;
    *out = (struct gate_subject){
        .change = gate->change,
        .rev = revision_of(ledger),
        .generation = gate->generation,
        .applied_boot_ms = waits ? ledger->pending.applied_boot_ms : ledger->serving.since_boot_ms,
        .is_soaking = !waits,
        .percent = waits ? ledger->pending.trying.percent : 0,
        .since_boot_ms = waits ? ledger->pending.trying.since_boot_ms : 0,
        .prediction = gate->prediction,
        .changed = gate->changed,
    };
    return true;
}

/* ---- what the readings say together ---- */

static enum gate_word word_of(const struct gate *gate)
{
    enum gate_word word = GATE_PASS;

    for (unsigned i = 0; i < GATE_INPUTS; i++) {
        if (gate->inputs[i].reading.word == GATE_FAIL)
            return GATE_FAIL;
        if (gate->inputs[i].reading.word == GATE_INCONCLUSIVE)
            word = GATE_INCONCLUSIVE;
    }
    return word;
}

static bool is_fresh(const struct ledger *ledger)
{
    const struct gate *gate = &ledger->gate;

    return gate->has_reading && ledger_boot_ms(ledger) - gate->read_boot_ms <= STALE_MS;
}

enum gate_word gate_now(const struct ledger *ledger)
{
    return is_fresh(ledger) ? ledger->gate.word : GATE_INCONCLUSIVE;
}

/* The first input that is so, with its numbers: "errors: pool shop: …". */
const char *gate_why(const struct ledger *ledger, enum gate_word word, char text_out[GATE_TEXT])
{
    const struct gate *gate = &ledger->gate;

    (void)snprintf(text_out, GATE_TEXT, "no reading of the last %d seconds", STALE_MS / 1000);
    for (unsigned i = 0; i < GATE_INPUTS && is_fresh(ledger); i++) {
        if (gate->inputs[i].reading.word != word)
            continue;
        (void)snprintf(text_out, GATE_TEXT, "%s: %s", gate_input_word((enum gate_input)i),
                       gate->inputs[i].reading.why);
        break;
    }
    return text_out;
}

/* ---- in JSON ---- */

static json_t *input_shown(const struct gate *gate, enum gate_input input)
{
    const struct gate_seen *seen = &gate->inputs[input];

    return json_pack("{s:s, s:s, s:I, s:s}", "name", gate_input_word(input), "state",
                     gate_word_word(seen->reading.word), "fails", (json_int_t)seen->fails, "why",
                     seen->reading.why);
}

/* All of them, or those that are `only`. */
static json_t *inputs_shown(const struct gate *gate, bool (*only)(enum gate_word))
{
    json_t *list = json_array();

    for (unsigned i = 0; i < GATE_INPUTS; i++) {
        if (only == NULL || only(gate->inputs[i].reading.word))
            json_array_append_new(list, input_shown(gate, (enum gate_input)i));
    }
    return list;
}

static bool has_not_passed(enum gate_word word)
{
    return word != GATE_PASS;
}

static bool has_failed(enum gate_word word)
{
    return word == GATE_FAIL;
}

static unsigned most_fails(const struct gate *gate)
{
    unsigned most = 0;

    for (unsigned i = 0; i < GATE_INPUTS; i++) {
        if (gate->inputs[i].fails > most)
            most = gate->inputs[i].fails;
    }
    return most;
}

json_t *ledger_gate_shown(struct ledger *ledger)
{
    const struct gate *gate = &ledger->gate;
    char since[CLOCK_RFC3339_TEXT];

    CHECK_OBJ(ledger, LEDGER_TAG);
    if (!is_waiting(ledger))
        return json_null();
    return json_pack("{s:s, s:s, s:I, s:o}", "state", gate_word_word(gate_now(ledger)), "since",
                     clock_rfc3339(gate->since_ms, since), "fails", (json_int_t)most_fails(gate),
                     "inputs", inputs_shown(gate, NULL));
}

bool ledger_gate_readings(const struct ledger *ledger, enum gate_word words_out[GATE_INPUTS])
{
    CHECK_OBJ(ledger, LEDGER_TAG);
    if (!is_fresh(ledger) || !is_waiting(ledger))
        return false;
    for (unsigned i = 0; i < GATE_INPUTS; i++)
        words_out[i] = ledger->gate.inputs[i].reading.word;
    return true;
}

/* ---- a tick ---- */

static void record(struct ledger *ledger, const char *event, enum gate_word before)
{
    struct gate *gate = &ledger->gate;
    struct actor system = actor_system("gate");
    struct step step;

    step_begin(&step, ledger, &system);
    step_audit(&step, event, gate->change[0] != '\0' ? gate->change : NULL, ledger->running.digest,
               json_pack("{s:s, s:s, s:I, s:o}", "gate", gate_word_word(gate->word), "before",
                         gate_word_word(before), "rev", (json_int_t)revision_of(ledger), "inputs",
                         inputs_shown(gate, has_not_passed)));
    (void)step_commit(&step, NULL); /* a full disk keeps nobody from going back */
}

/* A soak may last for days: that it fails is written at most each half hour. */
static bool is_worth_a_record(const struct ledger *ledger, bool is_soak)
{
    const struct gate *gate = &ledger->gate;

    if (!is_soak)
        return true;
    return gate->word == GATE_FAIL && (gate->recorded_boot_ms == 0 ||
                                       ledger_boot_ms(ledger) - gate->recorded_boot_ms > RECORD_MS);
}

static void note_readings(struct ledger *ledger, const struct gate_readings *readings, bool is_soak)
{
    struct gate *gate = &ledger->gate;
    enum gate_word before = gate->word;

    for (unsigned i = 0; i < GATE_INPUTS; i++) {
        struct gate_seen *seen = &gate->inputs[i];

        seen->reading = readings->inputs[i];
        /* What is not known in between forgives nothing: servers that are ejected and come back
         * make one reading in two so. */
        if (seen->reading.word == GATE_FAIL)
            seen->fails++;
        else if (seen->reading.word == GATE_PASS)
            seen->fails = 0;
    }
    gate->word = word_of(gate);
    gate->has_reading = true;
    gate->read_boot_ms = ledger_boot_ms(ledger);
    if (gate->word == before)
        return;
    gate->since_ms = ledger_wall_ms(ledger);
    if (!is_worth_a_record(ledger, is_soak))
        return;
    gate->recorded_boot_ms = ledger_boot_ms(ledger);
    record(ledger, "gate.changed", before);
}

static void note_taken_back(struct ledger *ledger, const char *why)
{
    struct gate_end *end = &ledger->gate.taken_back;

    memcpy(end->change, ledger->pending.change, sizeof(end->change));
    (void)snprintf(end->why, sizeof(end->why), "%s", why);
    end->wall_ms = ledger_wall_ms(ledger);
    end->boot_ms = ledger_boot_ms(ledger);
}

bool gate_took_back(const struct ledger *ledger, const char *change, const char *why)
{
    const struct gate_end *end = &ledger->gate.taken_back;

    return strcmp(end->change, change) == 0 && strcmp(end->why, why) == 0;
}

void gate_take_back(struct ledger *ledger, const char *principal, const char *why)
{
    struct actor system = actor_system(principal);

    note_taken_back(ledger, why);
    restore_begin(ledger, &system, why, NULL, NULL);
}

static void end_what_fails(struct ledger *ledger)
{
    char text[GATE_TEXT];
    char why[GATE_TEXT + 64];

    for (unsigned i = 0; i < GATE_INPUTS; i++) {
        if (ledger->gate.inputs[i].fails < GATE_FAILS)
            continue;
        (void)snprintf(text, sizeof(text), "%s: %s", gate_input_word((enum gate_input)i),
                       ledger->gate.inputs[i].reading.why);
        (void)snprintf(why, sizeof(why), "the health gate failed %u times without passing: %s",
                       ledger->gate.inputs[i].fails, text);
        gate_take_back(ledger, "gate", why);
        return;
    }
}

void ledger_gate_tick(struct ledger *ledger, const struct gate_readings *readings)
{
    struct gate_subject subject;

    CHECK_OBJ(ledger, LEDGER_TAG);
    if (!ledger_gate_subject(ledger, &subject))
        return;
    note_readings(ledger, readings, subject.is_soaking);
    if (ledger->gate.word == GATE_FAIL)
        lkg_start(ledger); /* a soak has no reading that fails */
    if (!subject.is_soaking && ledger_boot_ms(ledger) >= ledger->serving.retry_boot_ms)
        end_what_fails(ledger);
}

/* ---- the deadline, a confirmation ---- */

bool gate_allows(struct ledger *ledger, const struct change *change, struct refusal *refusal)
{
    char text[GATE_TEXT];
    char next[96];

    if (gate_now(ledger) != GATE_FAIL)
        return true;
    (void)snprintf(next, sizeof(next), "POST /v1/changes/%s/cancel", change->id);
    return refuse_with(refusal, "gate-failing", next,
                       json_pack("{s:o}", "inputs", inputs_shown(&ledger->gate, has_failed)),
                       "what runs since the apply does worse than what ran before: %s",
                       gate_why(ledger, GATE_FAIL, text));
}

void gate_note_holding(struct ledger *ledger)
{
    struct gate *gate = &ledger->gate;

    if (gate->holding_since_ms != 0)
        return;
    gate->holding_since_ms = ledger_wall_ms(ledger);
    record(ledger, "gate.holds", gate->word);
}

/* ---- alerts ---- */

static json_t *people_of(const struct change *change)
{
    json_t *people = json_array();

    for (size_t i = 0; i < change->decision_count; i++) {
        if (!change->decisions[i].is_veto)
            json_array_append_new(people, json_string(change->decisions[i].person));
    }
    return people;
}

static void add_alert(struct ledger *ledger, json_t *list, const char *name, const char *severity,
                      int64_t since_ms, const char *id, const char *summary,
                      const char *description)
{
    const struct change *change = id[0] != '\0' ? ledger_find(ledger, id) : NULL;
    char since[CLOCK_RFC3339_TEXT];
    json_t *alert =
        json_pack("{s:s, s:s, s:s, s:s, s:s}", "name", name, "severity", severity, "since",
                  clock_rfc3339(since_ms, since), "summary", summary, "description", description);

    if (change != NULL) {
        json_object_set_new(alert, "change", json_string(change->id));
        json_object_set_new(alert, "author", json_string(change->author));
        json_object_set_new(alert, "approvers", people_of(change));
    }
    json_array_append_new(list, alert);
}

static void add_waiting_alerts(struct ledger *ledger, json_t *list)
{
    const struct gate *gate = &ledger->gate;
    enum gate_word word = gate_now(ledger);
    char summary[96];
    char why[GATE_TEXT];

    if (word == GATE_FAIL && gate->change[0] != '\0') {
        (void)snprintf(summary, sizeof(summary), "the health gate fails for revision %llu",
                       (unsigned long long)revision_of(ledger));
        add_alert(ledger, list, "GateFailing", is_waiting(ledger) ? "ticket" : "page",
                  gate->since_ms, gate->change, summary, gate_why(ledger, GATE_FAIL, why));
    } else if (gate->holding_since_ms != 0 && is_waiting(ledger)) {
        (void)snprintf(summary, sizeof(summary), "change %s cannot confirm itself",
                       ledger->pending.change);
        add_alert(ledger, list, "GateInconclusive", "ticket", gate->holding_since_ms, gate->change,
                  summary, gate_why(ledger, word, why));
    }
}

static void add_ended_alert(struct ledger *ledger, json_t *list)
{
    const struct gate_end *end = &ledger->gate.taken_back;
    char summary[96];

    if (end->change[0] == '\0' || ledger->pending.is_set ||
        ledger_boot_ms(ledger) - end->boot_ms > TOLD_MS)
        return;
    (void)snprintf(summary, sizeof(summary), "change %s was taken back by the health gate",
                   end->change);
    add_alert(ledger, list, "ChangeTakenBack", "page", end->wall_ms, end->change, summary,
              end->why);
}

void gate_add_alerts(struct ledger *ledger, json_t *list)
{
    if (is_waiting(ledger) || is_soaking(ledger))
        add_waiting_alerts(ledger, list);
    add_ended_alert(ledger, list);
}
