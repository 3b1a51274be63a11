/*
 * load - conf.d on disk to a checked configuration, in one call.
 *
 * Owner    the returned configuration is the caller's, until config_free()
 * Threads  one at a time; no sockets, no clock
 */
#ifndef CONFIG_LOAD_H
#define CONFIG_LOAD_H

#include <stddef.h>

struct conf_certificate;
struct conf_person;
struct conf_pool;
struct configuration;
struct findings;
struct slice;

/* Reads every *.json of `directory` in name order.  All problems found are added to `findings`;
 * NULL when one of them is of severity block or a file cannot be read. */
struct configuration *config_load(const char *directory, struct findings *findings);
/* The same for documents that are in memory already; findings call them by their names. */
struct configuration *config_load_documents(const char *const *names, const struct slice *bytes,
                                            size_t count, struct findings *findings);
/* The same, but also where only rules of meaning block (an address that stands twice, a pool that
 * is not there: then its index is CONFIG_NONE): to be looked at as a whole, never to run. */
struct configuration *config_load_to_judge(const char *directory, struct findings *findings);
struct configuration *config_load_documents_to_judge(const char *const *names,
                                                     const struct slice *bytes, size_t count,
                                                     struct findings *findings);
void config_free(struct configuration **configuration);

/* CONFIG_NONE or the index of the named pool, server of a pool, listener. */
int config_find_pool(const struct configuration *configuration, const char *name);
int config_find_server(const struct conf_pool *pool, const char *name);
int config_find_listener(const struct configuration *configuration, const char *name);
/* NULL: there is no such certificate, person. */
const struct conf_certificate *config_find_certificate(const struct configuration *configuration,
                                                       const char *name);
const struct conf_person *config_find_person(const struct configuration *configuration,
                                             const char *name);
enum { CONFIG_URL_TEXT = 320 };
/* Of its admin API, to be copied on this machine: "https://127.0.0.1:9901", also where it listens
 * at 0.0.0.0.  Returns out. */
const char *config_admin_url(const struct configuration *configuration, char out[CONFIG_URL_TEXT]);
/* The document that says /section/name, or else the section's first one; NULL when none does. */
const char *config_file_of(const struct configuration *configuration, const char *section,
                           const char *name);

#endif
