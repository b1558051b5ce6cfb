#include "pipe/sample_limits.h"

static bool breach(struct err *err, const char *limit, uint64_t max, uint64_t found,
                   struct str label, struct labels ls) {
    struct buf b = BUF_INIT;
    labels_format(&b, ls);
    err_set(err, ERR_TOO_LARGE, "%s of %llu is exceeded: %llu%s%.*s in series %.*s", limit,
            (unsigned long long)max, (unsigned long long)found, label.n ? " at label " : "",
            label.n > 64 ? 64 : (int)label.n, label.n ? label.p : "", b.n > 200 ? 200 : (int)b.n,
            b.p ? b.p : "");
    buf_deinit(&b);
    return false;
}

bool sample_limits_check(const struct sample_limits *l, struct labels ls, struct err *err) {
    struct str none = {NULL, 0};
    if (l->labels && ls.n > l->labels)
        return breach(err, "label_limit", l->labels, ls.n, none, ls);
    if (!l->label_name_bytes && !l->label_value_bytes)
        return true;
    for (uint32_t i = 0; i < ls.n; i++) {
        if (l->label_name_bytes && ls.l[i].name.n > l->label_name_bytes)
            return breach(err, "label_name_length_limit", l->label_name_bytes, ls.l[i].name.n,
                          ls.l[i].name, ls);
        if (l->label_value_bytes && ls.l[i].value.n > l->label_value_bytes)
            return breach(err, "label_value_length_limit", l->label_value_bytes, ls.l[i].value.n,
                          ls.l[i].name, ls);
    }
    return true;
}

bool sample_limits_check_count(const struct sample_limits *l, uint64_t n, struct err *err) {
    return !l->samples || n <= l->samples ||
           err_set(err, ERR_TOO_LARGE,
                   "sample_limit of %llu is exceeded: %llu samples after relabelling",
                   (unsigned long long)l->samples, (unsigned long long)n);
}
