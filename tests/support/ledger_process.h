/*
 * ledger_process - what stands for the process in tests of the ledger: a runner that only notes
 * what runs, and clocks that stand still until they are moved.
 */
#ifndef TESTS_SUPPORT_LEDGER_PROCESS_H
#define TESTS_SUPPORT_LEDGER_PROCESS_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/check.h"
#include "base/error.h"
#include "change/ledger.h"
#include "change/refusal.h"
#include "change/runner.h"
#include "config/load.h"
#include "config/model.h"

static struct {
    struct ledger *ledger;
    struct configuration *running;
    uint64_t generation;
    int64_t wall_ms;
    uint64_t boot_ms;
    struct refusal refusal;
    json_t *answer;
    unsigned answered;           /* calls that answer when they are done */
    const char *state_directory; /* NULL: none, nothing is written to disk */
    bool prepare_fails;
    bool opens_quietly;       /* the wall clock is where the last record says until it is open */
    void (*on_prepare)(void); /* before it answers; NULL: nothing */
    void (*on_publish)(void);
    bool publish_holds; /* until world_release() */
    runner_published_fn *held;
    void *held_context;
    unsigned published;
    struct configuration *tried; /* beside `running`; NULL: nothing is */
    uint32_t percent;            /* of the connections that have it */
    unsigned taken_back;
} world;

/* ---- clocks ---- */

static int64_t world_wall(void)
{
    return world.wall_ms;
}

static uint64_t world_boot(void)
{
    return world.boot_ms;
}

static __attribute__((unused)) void pass_ms(int64_t ms)
{
    world.wall_ms += ms;
    world.boot_ms += (uint64_t)ms;
}

/* ---- the runner ---- */

static void world_prepare(void *process, struct configuration *conf, runner_prepared_fn *done,
                          void *context)
{
    struct error why = {0};

    (void)process;
    if (world.on_prepare != NULL)
        world.on_prepare();
    if (world.prepare_fails) {
        config_free(&conf);
        error_set(&why, ERROR_SYSTEM, "the address is taken");
        done(context, NULL, NULL, &why);
        return;
    }
    done(context, (struct prepared *)conf, NULL, NULL);
}

static void world_publish(void *process, struct prepared *prepared, runner_published_fn *done,
                          void *context)
{
    (void)process;
    config_free(&world.running);
    config_free(&world.tried);
    world.percent = 0;
    world.running = (struct configuration *)prepared;
    world.published++;
    world.generation++;
    if (world.on_publish != NULL)
        world.on_publish();
    if (!world.publish_holds) {
        done(context, world.generation);
        return;
    }
    world.held = done;
    world.held_context = context;
}

/* The workers have it. */
static __attribute__((unused)) void world_release(void)
{
    world.publish_holds = false;
    world.held(world.held_context, world.generation);
}

static void world_drop(void *process, struct prepared *prepared)
{
    struct configuration *conf = (struct configuration *)prepared;

    (void)process;
    config_free(&conf);
}

static void world_try(void *process, struct prepared *prepared, uint32_t percent,
                      runner_published_fn *done, void *context)
{
    (void)process;
    config_free(&world.tried);
    world.tried = (struct configuration *)prepared;
    world.percent = percent;
    world.generation++;
    done(context, world.generation);
}

static void world_widen(void *process, uint32_t percent)
{
    (void)process;
    CHECK(world.tried != NULL && percent > world.percent);
    world.percent = percent;
}

static uint64_t world_take_back(void *process)
{
    (void)process;
    world.taken_back += world.tried != NULL;
    config_free(&world.tried);
    world.percent = 0;
    return world.generation;
}

static const struct configuration *world_running(void *process)
{
    (void)process;
    return world.running;
}

static const struct runner world_runner = {.prepare = world_prepare,
                                           .publish = world_publish,
                                           .drop = world_drop,
                                           .try = world_try,
                                           .widen = world_widen,
                                           .take_back = world_take_back,
                                           .running = world_running};
static const struct ledger_clock world_clock = {.wall_ms = world_wall, .boot_ms = world_boot};

#endif
