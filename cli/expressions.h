/*
 * expressions - the regular expressions of routes, checked one by one.
 *
 * They are compiled by the router, which the configuration's own checks do not know.
 *
 * Owner    none; pure      Threads  any
 */
#ifndef CLI_EXPRESSIONS_H
#define CLI_EXPRESSIONS_H

struct configuration;
struct findings;

/* A finding for each expression that does not compile. */
void expressions_check(const struct configuration *conf, struct findings *findings);

#endif
