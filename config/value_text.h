/*
 * value_text - a value of the model as people read it, by the table of keys.
 *
 * Owner    nobody      Threads  any
 */
#ifndef CONFIG_VALUE_TEXT_H
#define CONFIG_VALUE_TEXT_H

struct buffer;
struct key;

/* Appends the value that `key` has in the struct at `base`: `100`, `5s`, `[GET, POST]`; what was
 * left out is told as the reference page tells its default, or as `none`.  Not for objects. */
void value_text(const struct key *key, const char *base, struct buffer *out);

#endif
