/*
 * trial - one pool as a configuration has it, tried out: the code that workers balance with, over
 * live words of its own.
 *
 * Which servers take part, and with which weight, is what balance_effective_weight() says of a pool
 * whose orders and health are those that it is told.  Hashes and cookies go through balance_pick().
 * What nothing directs is spread in closed form:
 *
 *   round_robin          w_i / sum of w
 *   the other methods    w_i * pace_i / sum of w * pace: pace is what a server was seen to take for
 *                        its weight, which is 1 / (mean service time) where requests queue
 *
 * and what is over max_share_percent goes to the others, then to the backups, as the view does it.
 *
 * Owner    whoever called trial_new()      Threads  any, one at a time
 */
#ifndef DETECT_TRIAL_H
#define DETECT_TRIAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "config/model.h"

struct trial;

enum { TRIAL_NOBODY = CONFIG_NONE };

struct trial *trial_new(const struct conf_pool *conf);
void trial_free(struct trial **trial);

/* Before trial_shares() and the picks; a server that is not there is passed over. */
void trial_order(struct trial *trial, const char *server, const char *state, int64_t weight);
void trial_down(struct trial *trial, const char *server);
/* 1: as its weight says. */
void trial_pace(struct trial *trial, size_t server, double pace);

/* By weight, whatever the pace; 0: it takes nothing. */
double trial_weight(struct trial *trial, size_t server);
/* Whether this method looks at how busy servers are. */
bool trial_follows_load(const struct trial *trial);
/* Of what neither hash nor cookie directs, by the server's place in the configuration; they add up
 * to 1, or to less where max_share_percent refuses the rest or nobody serves. */
const double *trial_shares(struct trial *trial);

/* A hash makes the table of the pool, which takes some milliseconds. */
int trial_pick_hash(struct trial *trial, uint64_t hash);
/* Where a cookie leads that names this server: to it, or TRIAL_NOBODY. */
int trial_pick_sticky(struct trial *trial, size_t server);

#endif
