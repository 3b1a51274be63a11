/* gate_readings - a change that waits, and readings of the health gate that are made up. */
#ifndef TESTS_UNIT_CHANGE_GATE_READINGS_H
#define TESTS_UNIT_CHANGE_GATE_READINGS_H

#include "change/gate.h"
#include "tests/support/apply_fixture.h"

static __attribute__((unused)) void approved_with(const char *more, const char *patch,
                                                  char id_out[CHANGE_ID_TEXT])
{
    char body[512];

    (void)snprintf(body, sizeof(body), "{\"title\":\"t\",\"reason\":\"r\",%s\"patch\":%s}", more,
                   patch);
    (void)snprintf(id_out, CHANGE_ID_TEXT, "%s", create_as(who("ann"), body, true));
    assert_string_equal(problem(), "");
    assert_string_equal(approve("bob", id_out), "");
}

static __attribute__((unused)) void confirming(const char *more, char id_out[CHANGE_ID_TEXT])
{
    approved_with(more, WEIGHT, id_out);
    assert_string_equal(apply_as("ann", id_out), "");
    assert_string_equal(state_of(id_out), "confirming");
}

/* By a policy that allows it. */
static __attribute__((unused)) void confirming_by_itself(char id_out[CHANGE_ID_TEXT])
{
    run_configuration(CONFIGURATION(ENFORCED ",\"confirm\":{\"mode\":\"auto\"}"));
    confirming("\"confirm\":{\"mode\":\"auto\"},", id_out);
}

/* ---- readings ---- */

static __attribute__((unused)) struct gate_readings all(enum gate_word word)
{
    struct gate_readings readings;

    for (unsigned i = 0; i < GATE_INPUTS; i++) {
        readings.inputs[i].word = word;
        (void)snprintf(readings.inputs[i].why, GATE_WHY_TEXT, "%s of a test", gate_word_word(word));
    }
    return readings;
}

/* All pass but one. */
static __attribute__((unused)) struct gate_readings but(enum gate_input input, enum gate_word word)
{
    struct gate_readings readings = all(GATE_PASS);

    readings.inputs[input] = all(word).inputs[input];
    return readings;
}

/* Ten seconds, and then these. */
static __attribute__((unused)) void reading(struct gate_readings readings)
{
    pass(GATE_TICK_MS);
    ledger_gate_tick(world.ledger, &readings);
}

static __attribute__((unused)) void readings_for(int64_t ms, enum gate_word word)
{
    for (int64_t passed = 0; passed < ms; passed += GATE_TICK_MS)
        reading(all(word));
}

static __attribute__((unused)) void fail_three_times(enum gate_input input)
{
    for (unsigned i = 0; i < GATE_FAILS; i++)
        reading(but(input, GATE_FAIL));
}

#endif
