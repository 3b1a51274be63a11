/*
 * detectors - what the detectors say of a configuration that is about to run in this process.
 *
 * Threads  any
 */
#ifndef CLI_DETECTORS_H
#define CLI_DETECTORS_H

struct configuration;
struct findings;

/* Adds findings of severity warning and above; those of info are for who asks (twokey check). */
void detectors_look(const struct configuration *conf, struct findings *out);

#endif
