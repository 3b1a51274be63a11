/*
 * rules - the functions that rules.def names.
 *
 * Owner    nobody      Threads  any
 */
#ifndef DETECT_RULES_H
#define DETECT_RULES_H

#include "detect/detect.h"

#define RULE(id, severity, overridable, scope, function, title, why, fix) detect_rule_fn function;
#define ELSEWHERE(...)
#define NOT_APPLICABLE(...)
#include "detect/rules.def"
#undef RULE
#undef ELSEWHERE
#undef NOT_APPLICABLE

#endif
