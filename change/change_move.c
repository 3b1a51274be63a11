/*
 * change_move - the only writer of a change's state.  Nothing moves but along a row of
 * change_moves.def, and the audit record of the move is part of the same transaction.
 *
 * Owner    the ledger.      Threads  control
 */
#include "change/internal.h"

#include <stdio.h>
#include <string.h>

#include "base/check.h"
#include "change/override.h"

enum { STATE_NONE = CHANGE_STATE_COUNT };

#define CHANGE_NONE STATE_NONE

static const struct move {
    unsigned from;
    unsigned to;
    const char *event;
} moves[] = {
#define MOVE(from, to, event, who, guards) {CHANGE_##from, CHANGE_##to, event},
#include "change/change_moves.def"
#undef MOVE
};

static bool is_move(unsigned from, unsigned to, const char *event)
{
    for (size_t i = 0; i < sizeof(moves) / sizeof(moves[0]); i++) {
        if (moves[i].from == from && moves[i].to == to && strcmp(moves[i].event, event) == 0)
            return true;
    }
    return false;
}

bool change_may_move(enum change_state from, enum change_state to, const char *event)
{
    return is_move(from, to, event);
}

static void set_times(struct ledger *ledger, struct change *change, unsigned from)
{
    int64_t now = ledger_wall_ms(ledger);

    if (change->state == CHANGE_PENDING && from == CHANGE_DRAFT) {
        change->submitted_ms = now;
        change->submitted_boot_ms = ledger_anchor_ms(ledger, now);
        change->not_after_boot_ms = ledger_anchor_ms(ledger, change->not_after_ms);
    }
    if (change->state == CHANGE_APPROVED && from == CHANGE_PENDING) {
        change->approved_ms = now;
        change->approved_boot_ms = ledger_anchor_ms(ledger, now);
    }
    if (change->state == CHANGE_PENDING || change->state == CHANGE_DRAFT)
        change->approved_ms = 0;
    if (change->state == CHANGE_DRAFT)
        change->submitted_ms = 0;
    if (change_is_terminal(change->state))
        change->ended_ms = now;
}

static void put_moved(struct step *step, struct change *change, unsigned from, const char *event,
                      json_t *data)
{
    json_t *told = data != NULL ? data : json_object();

    set_times(step->ledger, change, from);
    json_object_set_new(told, "state", json_string(change_state_word(change->state)));
    if (from != STATE_NONE)
        json_object_set_new(told, "from", json_string(change_state_word(from)));
    json_object_set_new(told, "iteration", json_integer(change->iteration));
    change_write(step, change);
    step_audit(step, event, change->id, change->digest[0] != '\0' ? change->digest : NULL, told);
}

void change_move(struct step *step, struct change *change, enum change_state to, const char *event,
                 json_t *data)
{
    unsigned from = change->state;

    if (!is_move(from, to, event))
        panic("change %s: no row %s -> %s (%s)", change->id, change_state_word(from),
              change_state_word(to), event);
    change->state = to;
    if (strcmp(event, "change.forced") == 0)
        breakglass_note(step, change);
    if (to == CHANGE_ROLLED_BACK && json_array_size(change->overrides) > 0)
        override_revert_change(step->ledger, step->txn, change->id);
    put_moved(step, change, from, event, data);
}

void change_move_new(struct step *step, struct change *change, json_t *data)
{
    CHECK(is_move(STATE_NONE, CHANGE_DRAFT, "change.created"));
    change->state = CHANGE_DRAFT;
    put_moved(step, change, STATE_NONE, "change.created", data);
}
