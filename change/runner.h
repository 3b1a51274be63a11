/*
 * runner - what the ledger asks of the serving process: build a configuration, let it run.  cli/
 * provides it; tests provide one that only notes what it was asked.
 *
 *   prepare   names looked up, listeners bound, tables built; nothing is exposed yet
 *   publish   every worker gets it; answers when all run it
 *   drop      what was prepared is thrown away
 *   try       every worker gets it beside what runs, for a share of the connections; answers when
 *             all have it.  It must have the listeners of what runs
 *   widen     a larger share gets what is tried
 *   take_back nobody gets it any more; what runs serves all, as it did before
 *
 * One at a time: the ledger asks for the next after the last one's answer.  Publishing ends what is
 * tried.
 *
 * Owner    cli/serve.c.      Threads  control; answers come on control, maybe before the call
 * returns
 */
#ifndef CHANGE_RUNNER_H
#define CHANGE_RUNNER_H

#include <stdbool.h>
#include <stdint.h>

struct configuration;
struct error;
struct findings;
struct prepared;

/* `prepared` is NULL when it failed; then `why` says it, and `findings` (may be NULL) more. */
typedef void runner_prepared_fn(void *context, struct prepared *prepared,
                                const struct findings *findings, const struct error *why);
typedef void runner_published_fn(void *context, uint64_t generation);

struct runner {
    /* Takes `conf`. */
    void (*prepare)(void *process, struct configuration *conf, runner_prepared_fn *done,
                    void *context);
    /* Takes `prepared`. */
    void (*publish)(void *process, struct prepared *prepared, runner_published_fn *done,
                    void *context);
    void (*drop)(void *process, struct prepared *prepared);
    /* Takes `prepared`; `percent` is 1 to 99. */
    void (*try)(void *process, struct prepared *prepared, uint32_t percent,
                runner_published_fn *done, void *context);
    void (*widen)(void *process, uint32_t percent);
    /* The generation of what runs; harmless when nothing is tried. */
    uint64_t (*take_back)(void *process);
    /* What runs now; NULL before the first was published. */
    const struct configuration *(*running)(void *process);
    void *process;
};

#endif
