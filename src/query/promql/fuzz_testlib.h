/* fuzz_testlib.h - what the fuzzer does with one input; the unit test replays the corpus through
 * it. */
#ifndef PROMQL_FUZZ_TESTLIB_H
#define PROMQL_FUZZ_TESTLIB_H

#include "base/str.h"

/* Parses; what parses is printed, parsed again (the same text must come out), shown as JSON and
 * evaluated. */
void fuzz_one(struct str text);
/* Evaluates under every memory cap from nothing to enough: each must give a result or say that
 * memory ran out. */
void fuzz_memory(struct str text);
void fuzz_deinit(void);

#endif
