/*
 * validate - what must hold across a configuration: references, addresses, sums.
 *
 * Owner    nobody      Threads  one at a time
 */
#ifndef CONFIG_VALIDATE_H
#define CONFIG_VALIDATE_H

struct configuration;
struct documents;
struct findings;

/* Resolves the references of a parsed configuration and reports all that does not fit together.
 * `documents` says which file a finding is about; NULL when there are none. */
void validate_configuration(struct configuration *configuration, const struct documents *documents,
                            struct findings *findings);

#endif
