/*
 * expression - whether a regular expression can take exponentially many steps for some text.
 *
 * Looked for are groups that are repeated many times, whose turns can be cut out of one text in
 * many ways: a part of a turn that repeats runs into the next such part, of the same turn or of the
 * next one, with nothing between them that neither of them matches.  (a+)+, (\w+ ?)+ and ([a-z]+a)+
 * are such, (/[^/]+)+ and ([a-z]+[0-9]+)+ are not.
 *
 * Not seen: back references, and alternatives of several characters that overlap, as in (a|aa)+.
 *
 * Owner    nobody      Threads  any
 */
#ifndef DETECT_EXPRESSION_H
#define DETECT_EXPRESSION_H

#include <stdbool.h>

/* `text` is an expression of PCRE2 that compiles; of any other the answer is no better than a
 * guess. */
bool expression_is_ambiguous(const char *text);

#endif
