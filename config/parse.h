/*
 * parse - merged documents to the model; reports all that is wrong with single objects.
 *
 * Owner    the configuration lives in its arena      Threads  one at a time
 */
#ifndef CONFIG_PARSE_H
#define CONFIG_PARSE_H

struct arena;
struct configuration;
struct documents;
struct findings;

/* Fills `configuration` (zeroed but for its arena), with defaults for all that is left out.  What
 * is wrong becomes a finding, and the field keeps its default.  References are still names. */
void parse_documents(const struct documents *documents, struct configuration *configuration,
                     struct findings *findings);

#endif
