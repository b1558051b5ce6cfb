/* The rules of OpenMetrics that look past one line: families do not clash or come twice, samples
 * belong to the family above them and stand grouped, histograms agree with themselves. */
#include "base/hash.h"
#include "codec/promtext_internal.h"

/* Names kept in the arena: struct map would own heap memory that nobody gives back. */
struct om_set {
    struct str *slots;
    size_t n, cap;
};

struct om_group { /* the samples of one label set within a family */
    struct str key;
    bool any, has_ts;
    int64_t ts_ms;
};

struct om_histogram { /* the current group, summed up */
    bool any, has_bucket, has_count, has_sum, has_gsum, negative_buckets, negative_gsum;
    int64_t ts_ms;
    double le, value, count;
};

struct promtext_om {
    struct arena *a;
    struct om_set names;  /* of all families, with their suffixes */
    struct om_set groups; /* of this family */
    bool any, has_samples, has_type, has_help, has_unit;
    struct str family, unit;
    enum metric_type type;
    struct om_group group;
    struct om_histogram histogram;
    struct promtext_parsed parsed;
};

static const char *const suffixes_counter[] = {"_total", "_created", NULL};
static const char *const suffixes_summary[] = {"", "_count", "_sum", "_created", NULL};
static const char *const suffixes_histogram[] = {"_count", "_sum", "_bucket", "_created", NULL};
static const char *const suffixes_gaugehistogram[] = {"_gcount", "_gsum", "_bucket", NULL};
static const char *const suffixes_info[] = {"_info", NULL};
static const char *const suffixes_none[] = {"", NULL};

static const char *const *suffixes_of(enum metric_type t) {
    switch (t) {
    case METRIC_COUNTER:
        return suffixes_counter;
    case METRIC_SUMMARY:
        return suffixes_summary;
    case METRIC_HISTOGRAM:
        return suffixes_histogram;
    case METRIC_GAUGEHISTOGRAM:
        return suffixes_gaugehistogram;
    case METRIC_INFO:
        return suffixes_info;
    case METRIC_UNKNOWN:
    case METRIC_GAUGE:
    case METRIC_STATESET:
        break;
    }
    return suffixes_none;
}

static struct str *set_slot(const struct om_set *s, struct str key) {
    size_t i = hash_str(key) & (s->cap - 1);
    while (s->slots[i].p && !str_eq(s->slots[i], key))
        i = (i + 1) & (s->cap - 1);
    return &s->slots[i];
}

static bool set_grow(struct arena *a, struct om_set *s) {
    struct om_set bigger = {.cap = s->cap ? s->cap * 2 : 64, .n = s->n};
    bigger.slots = ARENA_ARRAY(a, struct str, bigger.cap);
    if (!bigger.slots)
        return false;
    for (size_t i = 0; i < s->cap; i++)
        if (s->slots[i].p)
            *set_slot(&bigger, s->slots[i]) = s->slots[i];
    *s = bigger;
    return true;
}

static bool set_has(const struct om_set *s, struct str key) {
    return s->cap && set_slot(s, key)->p;
}

/* key must live as long as the arena. False: no memory. */
static bool set_add(struct arena *a, struct om_set *s, struct str key) {
    if (s->n * 2 >= s->cap && !set_grow(a, s))
        return false;
    struct str *slot = set_slot(s, key);
    if (!slot->p) {
        *slot = key.p ? key : STR("");
        s->n++;
    }
    return true;
}

struct promtext_om *promtext_om_new(struct arena *a) {
    struct promtext_om *om = ARENA_NEW(a, struct promtext_om);
    if (om)
        om->a = a;
    return om;
}

/* What stands behind the family's name in a sample's name; {NULL,0}: another family's. */
static bool suffix_in_family(const struct promtext_om *om, struct str name, struct str *out) {
    if (!om->any || !str_starts(name, om->family))
        return false;
    *out = str_from_offset(name, om->family.n);
    for (const char *const *s = suffixes_of(om->type); *s; s++)
        if (str_eqz(*out, *s))
            return true;
    return false;
}

static bool claim_name(struct promtext *p, struct str name, struct err *err) {
    if (set_has(&p->om->names, name))
        return promtext_fail(p, p->p, err, "the name %.*s is taken by a metric family above",
                             STR_FMT(name));
    return set_add(p->om->a, &p->om->names, name) || arena_err(p->om->a, err);
}

static bool claim_names(struct promtext *p, struct err *err) {
    struct promtext_om *om = p->om;
    if (!claim_name(p, om->family, err))
        return false;
    for (const char *const *s = suffixes_of(om->type); *s; s++) {
        if (!**s)
            continue;
        struct str name = arena_printf(om->a, "%.*s%s", (int)om->family.n, om->family.p, *s);
        if (!name.p)
            return arena_err(om->a, err);
        if (!claim_name(p, name, err))
            return false;
    }
    return true;
}

static const char *histogram_fault(const struct om_histogram *h) {
    if (!h->any)
        return NULL;
    if (!h->has_bucket || !(isinf(h->le) && h->le > 0))
        return "a histogram needs a bucket with le=\"+Inf\"";
    if (h->has_count && h->count != h->value)
        return "_count differs from the +Inf bucket";
    if ((h->has_sum || h->has_gsum) && !h->has_count)
        return "a histogram with _sum needs _count";
    if (h->has_count && !h->has_sum && !h->has_gsum)
        return "a histogram with _count needs _sum";
    if (h->negative_buckets && h->has_sum)
        return "a histogram with negative buckets has no _sum";
    if (!h->negative_buckets && h->negative_gsum)
        return "_gsum is negative without negative buckets";
    return NULL;
}

static bool end_histogram_group(struct promtext *p, struct err *err) {
    const char *fault = histogram_fault(&p->om->histogram);
    p->om->histogram = (struct om_histogram){.any = false};
    return !fault ||
           promtext_fail(p, p->p, err, "%s (metric family %.*s)", fault, STR_FMT(p->om->family));
}

static bool end_family(struct promtext *p, struct err *err) {
    struct promtext_om *om = p->om;
    if (!om->any)
        return true;
    if (!claim_names(p, err) || !end_histogram_group(p, err))
        return false;
    if (om->has_unit && om->unit.n) {
        struct str f = om->family;
        if (!str_ends(f, om->unit) || f.n == om->unit.n || f.p[f.n - om->unit.n - 1] != '_')
            return promtext_fail(p, p->p, err, "the name %.*s does not end in its unit _%.*s",
                                 STR_FMT(f), STR_FMT(om->unit));
        if (om->type == METRIC_INFO || om->type == METRIC_STATESET)
            return promtext_fail(p, p->p, err, "info and stateset metrics have no unit");
    }
    return true;
}

static bool begin_family(struct promtext *p, struct str name, struct err *err) {
    if (!end_family(p, err))
        return false;
    struct promtext_om *om = p->om;
    om->any = true;
    om->has_samples = om->has_type = om->has_help = om->has_unit = false;
    om->family = name;
    om->unit = (struct str){NULL, 0};
    om->type = METRIC_UNKNOWN;
    om->groups = (struct om_set){NULL, 0, 0};
    om->group = (struct om_group){.any = false};
    return true;
}

bool promtext_om_end(struct promtext *p, struct err *err) {
    return end_family(p, err);
}

bool promtext_om_meta(struct promtext *p, const struct promtext_item *it, const char *at,
                      struct err *err) {
    struct promtext_om *om = p->om;
    if (om->any && str_eq(om->family, it->metric)) {
        if (om->has_samples)
            return promtext_fail(p, at, err, "metadata stands before the samples of its family");
    } else if (!begin_family(p, it->metric, err)) {
        return false;
    }
    bool *seen = it->kind == PROMTEXT_TYPE   ? &om->has_type
                 : it->kind == PROMTEXT_HELP ? &om->has_help
                                             : &om->has_unit;
    if (*seen)
        return promtext_fail(p, at, err, "the same metadata stands twice for %.*s",
                             STR_FMT(it->metric));
    *seen = true;
    if (it->kind == PROMTEXT_TYPE)
        om->type = it->type;
    if (it->kind == PROMTEXT_UNIT)
        om->unit = it->text;
    return true;
}

static struct str label_of(const struct promtext_parsed *s, const char *name) {
    for (uint32_t i = 0; i < s->n; i++)
        if (str_eqz(s->l[i].name, name))
            return s->l[i].value;
    return (struct str){NULL, 0};
}

static bool number_of(struct str s, double *out) {
    return s.n && !memchr(s.p, 'x', s.n) && !memchr(s.p, 'X', s.n) && str_to_f64(s, out) &&
           !isnan(*out);
}

/* An infinite limit is written "+Inf" and in no other way. */
static bool is_canonical(struct str s, double v) {
    return !isinf(v) || str_eqz(s, "+Inf");
}

/* The label set without the label that tells samples of one metric apart, sorted: the group's
 * identity. */
static bool group_key(struct promtext_om *om, struct str suffix, struct str *out) {
    struct promtext_parsed *s = &om->parsed;
    struct str skip = {NULL, 0};
    *out = STR("");
    if (om->type == METRIC_INFO)
        return true; /* nothing distinguishes groups of info metrics */
    if (om->type == METRIC_STATESET)
        skip = om->family;
    else if (om->type == METRIC_SUMMARY && suffix.n == 0)
        skip = STR("quantile");
    else if ((om->type == METRIC_HISTOGRAM || om->type == METRIC_GAUGEHISTOGRAM) &&
             str_eqz(suffix, "_bucket"))
        skip = STR("le");
    size_t bytes = 0;
    for (uint32_t i = 1; i < s->n; i++) /* insertion sort: few labels, mostly sorted */
        for (uint32_t j = i; j && str_cmp(s->l[j].name, s->l[j - 1].name) < 0; j--) {
            struct label t = s->l[j];
            s->l[j] = s->l[j - 1];
            s->l[j - 1] = t;
        }
    for (uint32_t i = 0; i < s->n; i++)
        bytes += s->l[i].name.n + s->l[i].value.n + 2;
    if (!bytes)
        return true;
    char *to = arena_alloc(om->a, bytes);
    if (!to)
        return false;
    size_t n = 0;
    for (uint32_t i = 0; i < s->n; i++) {
        struct label l = s->l[i];
        if (skip.n && str_eq(l.name, skip))
            continue;
        memcpy(to + n, l.name.p, l.name.n);
        n += l.name.n;
        to[n++] = '\xff'; /* no byte of UTF-8 */
        if (l.value.n)
            memcpy(to + n, l.value.p, l.value.n);
        n += l.value.n;
        to[n++] = '\xff';
    }
    *out = str_make(to, n);
    return true;
}

static bool check_grouping(struct promtext *p, const struct promtext_item *it, struct str suffix,
                           bool *out_new, struct err *err) {
    struct promtext_om *om = p->om;
    struct om_group *g = &om->group;
    struct str key;
    if (!group_key(om, suffix, &key))
        return arena_err(om->a, err);
    *out_new = !g->any || !str_eq(g->key, key);
    if (*out_new) {
        if (set_has(&om->groups, key))
            return promtext_fail(p, it->series.p, err, "samples of one metric must stand together");
        if (!set_add(om->a, &om->groups, key))
            return arena_err(om->a, err);
    } else {
        if (it->has_ts != g->has_ts)
            return promtext_fail(p, it->series.p, err,
                                 "samples of one metric have all a timestamp or none");
        if (it->has_ts && it->ts_ms < g->ts_ms && om->type != METRIC_INFO)
            return promtext_fail(p, it->series.p, err, "timestamps of one metric go backwards");
    }
    *g = (struct om_group){key, true, it->has_ts, it->ts_ms};
    return true;
}

static bool check_labels(struct promtext *p, const struct promtext_item *it, struct str suffix,
                         double *out_le, struct err *err) {
    struct promtext_om *om = p->om;
    double v = 0;
    if (om->type == METRIC_STATESET) {
        for (uint32_t i = 0; i < om->parsed.n; i++)
            if (str_eq(om->parsed.l[i].name, om->family))
                return true;
        return promtext_fail(p, it->series.p, err,
                             "a stateset sample needs a label named as the metric");
    }
    if (str_eqz(suffix, "_bucket")) {
        struct str le = label_of(&om->parsed, "le");
        if (!number_of(le, &v) || !is_canonical(le, v))
            return promtext_fail(p, it->series.p, err,
                                 "a bucket needs le with a number or \"+Inf\"");
        *out_le = v;
    }
    if (om->type == METRIC_SUMMARY && suffix.n == 0) {
        struct str q = label_of(&om->parsed, "quantile");
        if (!number_of(q, &v) || v < 0 || v > 1)
            return promtext_fail(p, it->series.p, err,
                                 "a summary sample needs quantile between 0 and 1");
    }
    return true;
}

static uint16_t checks_of(enum metric_type type, struct str suffix) {
    uint16_t c = 0;
    if (type == METRIC_INFO)
        return PROMTEXT_CHECK_ONE;
    if (type == METRIC_STATESET)
        return PROMTEXT_CHECK_BIT;
    if (type == METRIC_SUMMARY && suffix.n == 0)
        return PROMTEXT_CHECK_NOT_NEGATIVE;
    if (str_eqz(suffix, "_total") || str_eqz(suffix, "_sum"))
        c = PROMTEXT_CHECK_NONNEG;
    if (str_eqz(suffix, "_gsum"))
        c = PROMTEXT_CHECK_NOT_NAN;
    if (str_eqz(suffix, "_count") || str_eqz(suffix, "_gcount") || str_eqz(suffix, "_bucket"))
        c = PROMTEXT_CHECK_NONNEG | PROMTEXT_CHECK_INTEGER;
    return c;
}

const char *promtext_value_fault(uint16_t check, double v) {
    if ((check & PROMTEXT_CHECK_ONE) && v != 1)
        return "an info sample has the value 1";
    if ((check & PROMTEXT_CHECK_BIT) && v != 0 && v != 1)
        return "a stateset sample has the value 0 or 1";
    if ((check & (PROMTEXT_CHECK_NONNEG | PROMTEXT_CHECK_NOT_NAN)) && isnan(v))
        return "a counter, sum or bucket is not NaN";
    if ((check & PROMTEXT_CHECK_NONNEG) && v < 0)
        return "a counter, sum or bucket is not negative";
    if ((check & PROMTEXT_CHECK_NOT_NEGATIVE) && v < 0)
        return "a quantile of a summary is not negative";
    if ((check & PROMTEXT_CHECK_INTEGER) && v != floor(v))
        return "a count or bucket is an integer";
    return NULL;
}

static bool add_to_histogram(struct promtext *p, struct promtext_item *it, struct str suffix,
                             double le, bool new_group, struct err *err) {
    struct om_histogram *h = &p->om->histogram;
    if (str_eqz(suffix, "_created"))
        return true;
    if (new_group || (h->any && it->has_ts && h->ts_ms != it->ts_ms)) {
        if (!end_histogram_group(p, err))
            return false;
        it->check |= PROMTEXT_CHECK_GROUP;
    }
    h->any = true;
    h->ts_ms = it->has_ts ? it->ts_ms : 0;
    if (str_eqz(suffix, "_bucket")) {
        if (h->has_bucket && le <= h->le)
            return promtext_fail(p, it->series.p, err, "buckets stand in the order of le");
        if (it->value < h->value)
            return promtext_fail(p, it->series.p, err, "a bucket is smaller than the one before");
        h->has_bucket = true;
        h->negative_buckets |= le < 0;
        h->le = le;
        h->value = it->value;
        it->check |= PROMTEXT_CHECK_BUCKET;
    } else if (str_eqz(suffix, "_count") || str_eqz(suffix, "_gcount")) {
        h->has_count = true;
        h->count = it->value;
        it->check |= PROMTEXT_CHECK_COUNT;
    } else if (str_eqz(suffix, "_sum")) {
        h->has_sum = true;
    } else {
        h->has_gsum = true;
        h->negative_gsum |= it->value < 0;
        it->check |= PROMTEXT_CHECK_AGAIN;
    }
    return true;
}

static bool exemplar_allowed(enum metric_type type, struct str suffix) {
    return ((type == METRIC_HISTOGRAM || type == METRIC_GAUGEHISTOGRAM) &&
            str_eqz(suffix, "_bucket")) ||
           (type == METRIC_COUNTER && str_eqz(suffix, "_total"));
}

bool promtext_om_sample(struct promtext *p, struct promtext_item *it, struct err *err) {
    struct promtext_om *om = p->om;
    const char *at, *why;
    if (!promtext_parse_series(it->series, true, om->a, &om->parsed, &at, &why))
        return om->a->failed ? arena_err(om->a, err) : promtext_fail(p, at, err, "%s", why);
    if (!om->parsed.name.p)
        return promtext_fail(p, it->series.p, err, "the sample has no metric name");
    struct str suffix;
    if (!suffix_in_family(om, om->parsed.name, &suffix)) {
        if (!begin_family(p, om->parsed.name, err))
            return false;
        suffix = (struct str){NULL, 0};
    }
    om->has_samples = true;
    double le = 0;
    bool new_group = false;
    if (!check_labels(p, it, suffix, &le, err) || !check_grouping(p, it, suffix, &new_group, err))
        return false;
    it->check = checks_of(om->type, suffix);
    if (it->has_ts)
        it->check |= PROMTEXT_CHECK_AGAIN; /* order and presence of timestamps within a group */
    const char *fault = promtext_value_fault(it->check, it->value);
    if (fault)
        return promtext_fail(p, it->series.p, err, "%s", fault);
    if (it->has_exemplar && !exemplar_allowed(om->type, suffix))
        return promtext_fail(p, it->series.p, err, "only buckets and counters have exemplars");
    if (om->type == METRIC_HISTOGRAM || om->type == METRIC_GAUGEHISTOGRAM)
        return add_to_histogram(p, it, suffix, le, new_group, err);
    return true;
}
