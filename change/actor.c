/*
 * actor - see actor.h.
 *
 * Owner    nobody: makes values.      Threads  control
 */
#include "change/actor.h"

#include <stddef.h>

#include "base/memory.h"

struct actor actor_system(const char *why)
{
    return (struct actor){
        .person = "system", .principal = why, .auth = "system", .source = why, .uid = -1};
}

static char *copy_of(const char *text)
{
    return text != NULL ? xstrdup(text) : NULL;
}

void actor_copy(struct actor *to, const struct actor *from)
{
    *to = *from;
    to->person = copy_of(from->person);
    to->principal = copy_of(from->principal);
    to->auth = copy_of(from->auth);
    to->source = copy_of(from->source);
    to->request = copy_of(from->request);
    to->on_behalf_of = copy_of(from->on_behalf_of);
}

void actor_fini(struct actor *copy)
{
    const char *texts[] = {copy->person, copy->principal, copy->auth,
                           copy->source, copy->request,   copy->on_behalf_of};

    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
        xfree((void *)(uintptr_t)texts[i]);
    *copy = (struct actor){0};
}
