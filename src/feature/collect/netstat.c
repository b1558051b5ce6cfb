/* netstat.c - /proc/net/{netstat,snmp,snmp6}: the protocol counters that node_exporter shows by
 * default. */
#include "base/regex.h"
#include "feature/collect/collectors.h"

#define FIELDS_MAX 256
#define NAME_BYTES_MAX 96

struct netstat {
    struct procfile netstat, snmp, snmp6;
    struct emit_table *table;
    struct regex *wanted;
    struct map
        decided; /* key: "Tcp_InSegs"; value: &yes or &no, so that the pattern runs once a name */
};

static const char pattern[] =
    ".*_(InErrors|InErrs)|Ip_Forwarding|Ip(6|Ext)_(InOctets|OutOctets)|Icmp6?_(InMsgs|OutMsgs)|"
    "TcpExt_(Listen.*|Syncookies.*|TCPSynRetrans|TCPTimeouts|TCPOFOQueue|TCPRcvQDrop)|"
    "Tcp_(ActiveOpens|InSegs|OutSegs|OutRsts|PassiveOpens|RetransSegs|CurrEstab)|"
    "Udp6?_(InDatagrams|OutDatagrams|NoPorts|RcvbufErrors|SndbufErrors)";
static const struct emit_group group = {NULL, 0, NULL, 0, FIELDS_MAX};
static char yes, no;

static bool init(void *self, struct collect_env *env, struct err *err) {
    struct netstat *n = self;
    n->table = emit_table(env->emit, &group);
    n->wanted = regex_new(str_from(pattern), true, err);
    return n->wanted && procfile_init(&n->netstat, env->proc, "net/netstat", err) &&
           procfile_init(&n->snmp, env->proc, "net/snmp", err) &&
           procfile_init(&n->snmp6, env->proc, "net/snmp6", err);
}

static void put(struct netstat *n, struct str protocol, struct str field, double value) {
    char name[2 * NAME_BYTES_MAX] = "node_netstat_";
    const size_t prefix = 13;
    if (protocol.n + field.n > NAME_BYTES_MAX)
        return;
    memcpy(name + prefix, protocol.p, protocol.n);
    name[prefix + protocol.n] = '_';
    memcpy(name + prefix + protocol.n + 1, field.p, field.n);
    struct str key = str_make(name + prefix, protocol.n + 1 + field.n);
    char *known = map_get(&n->decided, key);
    if (!known) {
        if (n->decided.n_live > 8 * FIELDS_MAX)
            return;
        bool ok = metric_name_is_legacy(key) && regex_match(n->wanted, key);
        known = ok ? &yes : &no;
        if (!map_put(&n->decided, key, known, NULL))
            return;
    }
    if (known == &yes)
        emit_put(emit_named(n->table, str_make(name, prefix + key.n), METRIC_UNKNOWN, "Statistic"),
                 0, value);
}

/* Two lines each: "Tcp: RtoAlgorithm RtoMin ..." and "Tcp: 1 200 ...". */
static void pairs(struct netstat *n, struct str text) {
    struct str names, values, protocol, protocol2, name;
    while (scan_line(&text, &names) && scan_line(&text, &values)) {
        double v;
        if (!str_next(&names, ':', &protocol) || !str_next(&values, ':', &protocol2) ||
            !str_eq(protocol, protocol2))
            continue;
        while (scan_field(&names, &name) && scan_field_f64(&values, &v))
            put(n, protocol, name, v);
    }
}

/* "Ip6InReceives  12" */
static void six(struct netstat *n, struct str text) {
    struct str line, key;
    while (scan_line(&text, &line)) {
        double v;
        if (!scan_field(&line, &key) || !scan_field_f64(&line, &v))
            continue;
        size_t at = str_find_char(key, '6');
        if (at != SIZE_MAX && at + 1 < key.n)
            put(n, str_sub(key, 0, at + 1), str_from_offset(key, at + 1), v);
    }
}

static bool collect(void *self, struct collect_env *env, struct err *err) {
    struct netstat *n = self;
    struct str text;
    bool absent;
    if (!procfile_read(&n->netstat, env->buf, &text, &absent, err))
        return false;
    pairs(n, text);
    if (!procfile_read(&n->snmp, env->buf, &text, &absent, err))
        return false;
    pairs(n, text);
    if (!procfile_read(&n->snmp6, env->buf, &text, &absent, err))
        return false;
    six(n, text);
    return true;
}

static void deinit(void *self) {
    struct netstat *n = self;
    procfile_deinit(&n->netstat);
    procfile_deinit(&n->snmp);
    procfile_deinit(&n->snmp6);
    map_deinit(&n->decided);
    regex_free(n->wanted);
}

const struct collector netstat_collector = {.name = "netstat",
                                            .help = "TCP, UDP, IP and ICMP counters",
                                            .every = EVERY_TICK,
                                            .size = sizeof(struct netstat),
                                            .init = init,
                                            .collect = collect,
                                            .deinit = deinit};
