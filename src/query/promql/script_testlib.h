/* script_testlib.h - runs scripts in Prometheus's promqltest language (load, clear, eval) in
 * process. */
#ifndef PROMQL_SCRIPT_TESTLIB_H
#define PROMQL_SCRIPT_TESTLIB_H

#include "query/promql/promql.h"

struct script_counts {
    size_t evals, passed;             /* all of the file */
    size_t float_evals, float_passed; /* those that neither read nor expect native histograms */
};

/* features: as promql_options. verbose: failures are printed. False: the script itself could not be
 * read. */
bool script_run(struct str text, const char *name, unsigned features, bool verbose,
                struct script_counts *out, struct err *err);

#endif
