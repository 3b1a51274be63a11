/*
 * actor - see actor.h.
 *
 * Owner    nobody: makes values.      Threads  control
 */
#include "change/actor.h"

struct actor actor_system(const char *why)
{
    return (struct actor){
        .person = "system", .principal = why, .auth = "system", .source = why, .uid = -1};
}
