/*
 * staples - what authorities say of the certificates that run (OCSP), read from files.
 *
 * Not configuration, but a statement of the authority that is new each few days: the file is looked
 * at again and again, and what it says is shown without a new revision.  What cannot be shown is an
 * alert; the response before it is shown as long as it holds.
 *
 * Owner    cli/serve.c      Threads  control; reads the disk
 */
#ifndef WATCH_STAPLES_H
#define WATCH_STAPLES_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/slice.h"

struct conf_certificate;
struct configuration;
struct staples;
struct tls_certificate;

enum { STAPLES_LOOK_S = 2 };

/* `configuration_directory` is a root of files where none are configured; borrowed. */
struct staples *staples_new(const char *configuration_directory);
void staples_free(struct staples **staples);

/* Looks at the files of `running`, and of `candidate` where it is not NULL.  True: something else
 * is to be shown than at the last call of staples_for(). */
bool staples_look(struct staples *staples, const struct configuration *running,
                  const struct configuration *candidate, int64_t wall_ms);
/* Whose folders may be read from by staples_for(), and when: before a snapshot is made. */
void staples_begin(struct staples *staples, const struct configuration *conf, int64_t wall_ms);
/* A secure_staple_fn (proxy/secure.h): what is to be shown; lives until the next call of anything
 * here. */
struct slice staples_for(void *staples, const struct conf_certificate *conf,
                         const struct tls_certificate *certificate);

/* Of those that run: until when what is shown holds, 0: nothing is. */
struct staple_end {
    const char *name;
    int64_t next_update_ms;
};
typedef void staples_each_fn(void *context, const struct staple_end *end);
void staples_each(const struct staples *staples, staples_each_fn *tell, void *context);
void staples_add_alerts(const struct staples *staples, int64_t wall_ms, json_t *list);

#endif
