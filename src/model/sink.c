#include "model/sink.h"

static const char *const names[] = {"unknown",        "counter", "gauge", "histogram",
                                    "gaugehistogram", "summary", "info",  "stateset"};

const char *metric_type_name(enum metric_type t) {
    return names[t];
}

bool metric_type_from_name(struct str name, enum metric_type *out) {
    if (str_eq(name, STR("untyped"))) {
        *out = METRIC_UNKNOWN;
        return true;
    }
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        if (str_eqz(name, names[i])) {
            *out = (enum metric_type)i;
            return true;
        }
    return false;
}
