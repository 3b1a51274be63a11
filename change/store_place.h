/*
 * store_place - the store's file in the state directory: whose it is, whether it is still the one
 * behind its name, and the reserve that is kept beside it.
 *
 * Owner    the store.      Threads  control
 */
#ifndef CHANGE_STORE_PLACE_H
#define CHANGE_STORE_PLACE_H

#include <stdbool.h>
#include <sys/types.h>

struct error;

enum { PLACE_TEXT = 4096, PLACE_RESERVE_BYTES = 8 * 1024 * 1024 };

struct place {
    char path[PLACE_TEXT];
    char reserve[PLACE_TEXT];
    dev_t device;
    ino_t inode;
    bool is_for_reading; /* nothing is made or changed */
    bool has_reserve;
};

/* Finds DIR/twokey.db, or makes it (0600).  False and `why`: it is not ours, or cannot be read. */
bool place_find(struct place *place, const char *directory, bool is_for_reading, struct error *why);
/* False: moved, deleted or restored while we run; what we would write, nobody would read. */
bool place_is_there(const struct place *place);

/* What a crash left in the log, beside the database. */
bool place_has_log(const struct place *place);

/* Only where twice as much is free: the last room belongs to the database. */
void place_make_reserve(struct place *place);
void place_remove_reserve(struct place *place);

#endif
