/* docs/config.md and hinomi.yml(5), from the option tables. */
#include "app/server/config.h"

static const char head[] =
    "# Configuration\n\n"
    "hinomi needs no configuration file. With one (`hinomi serve --config FILE`), everything that "
    "is not written has its default. This page is\n"
    "made from the program's own option tables (the build target `docs`), so it cannot disagree "
    "with it.\n\n"
    "- **Check** a file with `hinomi config check FILE`: every finding has file, line, column, "
    "what was expected, and what you may have meant.\n"
    "- **Reload** with SIGHUP or `POST /-/reload`: all or nothing. A wrong file changes nothing, "
    "and\n"
    "  `hinomi_config_last_reload_successful` turns 0.\n"
    "- **Environment**: `${NAME}` and `${NAME:-default}` in values are replaced (capitals, digits, "
    "`_`; not in single quotes, regular\n"
    "  expressions or rule files); `$${NAME}` is the text itself.\n"
    "- **Secrets**: beside every secret `name` there is `name_file`, the file that holds it.\n"
    "- **Files** that are named relatively start in the folder of the file that names them.\n"
    "- An existing `prometheus.yml` or `alertmanager.yml` loads as it is; sections that hinomi "
    "does not use are named as warnings.\n"
    "- Durations are written as Prometheus writes them (`30s`, `1h30m`, `30d`), sizes with base 2 "
    "(`512MB`, `64KiB`).\n\n"
    "Rule files have Prometheus's grammar and are described at the end.\n\n";

void config_manual(struct buf *out) {
    buf_putz(out, head);
    conf_markdown(config_table(), out);
    buf_putz(out, "\n# Rule files\n\n");
    conf_markdown(&rule_file_table, out);
}

static void troff_line(struct buf *out, struct str s) {
    if (s.n && (s.p[0] == '.' || s.p[0] == '\''))
        buf_putz(out, "\\&");
    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] == '-')
            buf_putz(out, "\\-");
        else if (s.p[i] == '\\')
            buf_putz(out, "\\e");
        else if (s.p[i] != '`')
            buf_putc(out, s.p[i]);
    }
    buf_putc(out, '\n');
}

static void man_option(const struct conf_option *o, struct buf *out) {
    buf_printf(out, ".TP\n\\fB%s\\fR", o->name);
    if (o->def && *o->def)
        buf_printf(out, " (default %s)", o->def);
    if (o->required)
        buf_putz(out, " (required)");
    buf_putc(out, '\n');
    troff_line(out, str_from(o->help ? o->help : ""));
    if (o->table)
        buf_printf(out, "See %s below.\n", o->table->name);
}

void config_man(struct buf *out) {
    enum { TABLES_MAX = 128 };
    const struct conf_table *seen[TABLES_MAX] = {config_table(), &rule_file_table};
    size_t n = 2;
    buf_printf(out,
               ".TH HINOMI.YML 5 \"\" \"hinomi %s\" \"hinomi\"\n.SH NAME\nhinomi.yml \\- "
               "configuration of hinomi\n.SH DESCRIPTION\n",
               HINOMI_VERSION);
    troff_line(out, STR("Everything has a default. Check a change with \"hinomi config check "
                        "FILE\", then reload with SIGHUP. ${NAME} is replaced from "
                        "the environment; beside every secret there is NAME_file. Files of "
                        "Prometheus and Alertmanager load as they are."));
    for (size_t i = 0; i < n; i++) {
        const struct conf_table *t = seen[i];
        buf_printf(out, ".SH %s\n", t->name);
        if (t->help)
            troff_line(out, str_from(t->help));
        for (size_t k = 0; k < t->n; k++) {
            const struct conf_option *o = &t->options[k];
            bool have = !o->table;
            if (o->ignored)
                continue;
            man_option(o, out);
            for (size_t m = 0; m < n && !have; m++)
                have = seen[m] == o->table;
            if (!have && n < TABLES_MAX)
                seen[n++] = o->table;
        }
    }
    buf_putz(out, ".SH SEE ALSO\nhinomi(1)\n");
}
