#include "codec/gotmpl.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "codec/corpus_testlib.h"
#include "codec/gotmpl_fuzz.c"

static bool fake_query(void *self, struct str expr, struct arena *a, struct gotmpl_value *out,
                       struct err *err) {
    (void)self;
    if (str_eqz(expr, "broken"))
        return err_set(err, ERR_EXECUTION, "no such thing");
    if (str_eqz(expr, "none")) {
        *out = gotmpl_list(a, 0);
        return true;
    }
    *out = gotmpl_list(a, 2);
    for (size_t i = 0; i < 2; i++) {
        struct gotmpl_value labels = gotmpl_map(a, 3);
        gotmpl_map_put(&labels, STR("__name__"), gotmpl_str(STR("m")));
        gotmpl_map_put(&labels, STR("instance"), gotmpl_str(i ? STR("a") : STR("b")));
        gotmpl_map_put(&labels, STR("__value__"), gotmpl_str(STR("raw")));
        out->items[i] = gotmpl_sample(a, labels, 11 + (double)i * 10);
    }
    return true;
}

static bool expand(const char *text, struct arena *a, struct str *out, struct err *err) {
    struct gotmpl_value labels = gotmpl_map(a, 3);
    gotmpl_map_put(&labels, STR("instance"), gotmpl_str(STR("web.example.com:9100")));
    gotmpl_map_put(&labels, STR("device"), gotmpl_str(STR("sda")));
    struct gotmpl_value dot = gotmpl_map(a, 4);
    dot.strict = true;
    gotmpl_map_put(&dot, STR("Labels"), labels);
    gotmpl_map_put(&dot, STR("Value"), gotmpl_float(0.1234567));
    struct gotmpl_env env = {.external_url = STR("http://hinomi.example:11900/x"),
                             .path_prefix = STR("/x"),
                             .now_ms = 1700000000000,
                             .query = fake_query,
                             .output_max = 4096};
    return gotmpl_expand(str_from(text), &dot, &env, a, out, err);
}

static void test_expands(void **arg) {
    (void)arg;
    static const struct {
        const char *text, *want;
    } cases[] = {
        {"plain text", "plain text"},
        {"{{ .Labels.instance }} is {{ .Value }}", "web.example.com:9100 is 0.1234567"},
        {"{{ $labels := .Labels }}{{ $labels.device }}{{ $labels.nothing }}|", "sda|"},
        {"a  {{- 1 -}}  b", "a1b"},
        {"{{/* said nothing */}}x{{- /* nor here */ -}} y", "xy"},
        {"{{ printf \"%.2f%% %d %s %q %5.1f|%-4d|%04d|%+d %v %t %x\" .Value 7 \"s\" \"q\\\"\" "
         "3.14159 5 42 1 1.5 true 255 }}",
         "0.12% 7 s \"q\\\"\"   3.1|5   |0042|+1 1.5 true ff"},
        {"{{ printf \"%d %s\" 1.5 2 }}", "%!d(float64=1.5) %!s(int=2)"},
        {"{{ printf \"%d\" }}{{ printf \"x\" 1 }}", "%!d(MISSING)x%!(EXTRA int=1)"},
        {"{{ 1e6 }} {{ 1.5e21 }} {{ 0.000001 }} {{ 100 }} {{ 1.0 }} {{ 123456.5 }} {{ -0.0001 }}",
         "1e+06 1.5e+21 1e-06 100 1 123456.5 -0.0001"},
        {"{{ if gt .Value 0.1 }}big{{ else }}small{{ end }}", "big"},
        {"{{ if eq .Labels.device \"sdb\" \"sda\" }}yes{{ end }}", "yes"},
        {"{{ if lt 1 0 }}a{{ else if ne 1 2 }}b{{ else }}c{{ end }}", "b"},
        {"{{ if and .Labels.device (not .Labels.nothing) }}ok{{ end }}", "ok"},
        {"{{ or .Labels.nothing \"fallback\" }}", "fallback"},
        {"{{ with .Labels.device }}<{{ . }}>{{ end }}{{ with .Labels.no }}x{{ else }}none{{ end }}",
         "<sda>none"},
        {"{{ range $k, $v := .Labels }}{{ $k }}={{ $v }};{{ end }}",
         "device=sda;instance=web.example.com:9100;"},
        {"{{ range $i, $s := query \"m\" }}{{ $i }}:{{ $s.Value }} {{ end }}", "0:11 1:21 "},
        {"{{ range query \"none\" }}x{{ else }}empty{{ end }}", "empty"},
        {"{{ range sortByLabel \"instance\" (query \"m\") }}{{ .Labels.instance }}{{ end }}", "ab"},
        {"{{ query \"m\" | first | value }} {{ query \"m\" | first | label \"instance\" }} {{ "
         "query \"m\" | first | strvalue }}",
         "11 b raw"},
        {"{{ (query \"m\" | first).Value }}", "11"},
        {"{{ define \"t\" }}[{{ . }}]{{ end }}{{ template \"t\" .Labels.device }}{{ template \"t\" "
         "1 }}",
         "[sda][1]"},
        {"{{ block \"b\" .Value }}v={{ . }}{{ end }}", "v=0.1234567"},
        {"{{ define \"a\" }}{{ .arg0 }}-{{ .arg1 }}{{ end }}{{ template \"a\" (args 1 \"x\") }}",
         "1-x"},
        {"{{ $x := 1 }}{{ if true }}{{ $x = 2 }}{{ end }}{{ $x }}", "2"},
        {"{{ $x := 1 }}{{ if true }}{{ $x := 2 }}{{ end }}{{ $x }}", "1"},
        {"{{ range 3 }}{{ if eq . 1 }}{{ continue }}{{ end }}{{ . }}{{ end }}", "02"},
        {"{{ range 9 }}{{ if eq . 2 }}{{ break }}{{ end }}{{ . }}{{ end }}", "01"},
        {"{{ humanize 0 }} {{ humanize 1 }} {{ humanize 1234567 }} {{ humanize 0.00012 }} {{ "
         "humanize \"1000\" }}",
         "0 1 1.235M 120u 1k"},
        {"{{ humanize1024 0 }} {{ humanize1024 1048576 }} {{ humanize1024 500 }}", "0 1Mi 500"},
        {"{{ humanizeDuration 0 }} {{ humanizeDuration 1 }} {{ humanizeDuration 60 }} {{ "
         "humanizeDuration 3600 }} "
         "{{ humanizeDuration 86400 }} {{ humanizeDuration .1 }} {{ humanizeDuration -90061 }} {{ "
         "humanizeDuration 0.0000001 }} "
         "{{ humanizeDuration 12.3456 }}",
         "0s 1s 1m 0s 1h 0m 0s 1d 0h 0m 0s 100ms -1d 1h 1m 1s 100ns 12.35s"},
        {"{{ humanizePercentage 0.1234567 }}", "12.35%"},
        {"{{ humanizeTimestamp 1435065584.128 }}", "2015-06-23 13:19:44.128 +0000 UTC"},
        {"{{ toTime 1435065584 }}", "2015-06-23 13:19:44 +0000 UTC"},
        {"{{ parseDuration \"1h2m10ms\" }}", "3720.01"},
        {"{{ title \"the fire lookout\" }} {{ toUpper \"ab\" }} {{ toLower \"AB\" }}",
         "The Fire Lookout AB ab"},
        {"{{ reReplaceAll \"(a)b+\" \"$1-x\" \"abbb ab\" }} {{ match \"^a.c$\" \"abc\" }}",
         "a-x a-x true"},
        {"{{ stripPort \"h:80\" }} {{ stripPort \"[::1]:80\" }} {{ stripPort \"h\" }}", "h ::1 h"},
        {"{{ stripDomain .Labels.instance }} {{ stripDomain \"10.0.0.1:80\" }} {{ stripDomain "
         "\"a.b\" }}",
         "web:9100 10.0.0.1:80 a"},
        {"{{ graphLink \"up == 1\" }} {{ tableLink \"a\" }}",
         "/graph?g0.expr=up+%3D%3D+1&g0.tab=0 /graph?g0.expr=a&g0.tab=1"},
        {"{{ pathPrefix }} {{ externalURL }}", "/x http://hinomi.example:11900/x"},
        {"{{ index .Labels \"device\" }} {{ len .Labels }} {{ len \"abc\" }} {{ slice \"abcdef\" 1 "
         "3 }}",
         "sda 2 3 bc"},
        {"{{ print 1 2 \"a\" 3 }}{{ println 1 \"b\" }}", "1 2a31 b\n"},
        {"{{ html \"<a&'>\" }} {{ js \"it's\" }} {{ urlquery \"a b/火\" }}",
         "&lt;a&amp;&#39;&gt; it\\'s a+b%2F%E7%81%AB"},
        {"{{ \"a\\t\\u706b\" }}{{ `raw\\n` }}{{ 'x' }}", "a\t火raw\\n120"},
        {"{{ .Labels }}", "map[device:sda instance:web.example.com:9100]"},
        {"{{ join \", \" (stringSlice \"a\" \"b\") }}", "a, b"},
        {"{{ \"out\" | printf \"%s-%s\" \"in\" }}", "in-out"},
        {"}} {{ 1 }}", "}} 1"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        if (!cases[i].want)
            continue;
        struct arena a = ARENA_INIT;
        struct str out = {0};
        struct err err = {0};
        if (!expand(cases[i].text, &a, &out, &err))
            fail_msg("%s: %s", cases[i].text, err.message);
        if (!str_eqz(out, cases[i].want))
            fail_msg("%s: want \"%s\", got \"%.*s\"", cases[i].text, cases[i].want, STR_FMT(out));
        arena_deinit(&a);
    }
}

static void test_refuses(void **arg) {
    (void)arg;
    static const struct {
        const char *text, *want;
    } cases[] = {
        {"{{", "1:3"},
        {"{{ .Labels", "unclosed action"},
        {"a\n{{ nofunc 1 }}", "2:4: function \"nofunc\" not defined"},
        {"{{ if true }}x", "{{end}} is missing"},
        {"{{ end }}", "unexpected {{end}}"},
        {"{{ else }}", "unexpected {{else}}"},
        {"{{ \"abc }}", "unterminated quoted string"},
        {"{{ `abc }}", "unterminated raw"},
        {"{{ \"\\z\" }}", "escape"},
        {"{{ 1 2 }}", "non-function"},
        {"{{ .Nope }}", "no such field"},
        {"{{ .Value.x }}", "no fields"},
        {"{{ $nope }}", "undefined variable"},
        {"{{ $x = 1 }}", "undefined variable"},
        {"{{ template \"gone\" }}", "not defined"},
        {"{{ define \"r\" }}{{ template \"r\" }}{{ end }}{{ template \"r\" }}", "deep"},
        {"{{ range 1000000 }}{{ range 1000000 }}{{ $x := 1 }}{{ end }}{{ end }}", "steps"},
        {"{{ range 100000 }}xxxxxxxxxxxxxxxx{{ end }}", "over 4096 bytes"},
        {"{{ range 30 }}{{ $x := query \"m\" }}{{ end }}", "queries"},
        {"{{ query \"broken\" }}", "no such thing"},
        {"{{ query \"none\" | first }}", "no elements"},
        {"{{ humanize \"abc\" }}", "number"},
        {"{{ len 1 }}", "no length"},
        {"{{ index .Labels 1 }}", "can't index"},
        {"{{ slice \"ab\" 2 1 }}", "out of range"},
        {"{{ humanize }}", "wrong number of arguments"},
        {"{{ reReplaceAll \"(\" \"\" \"\" }}", "reReplaceAll"},
        {"{{ eq \"a\" 1 }}", "incompatible"},
        {"{{ break }}", "outside of range"},
        {"{{ 1 | 2 }}", "non executable"},
        {"{{ range \"str\" }}{{ end }}", "can't iterate"},
        {"{{ (1 }}", "paren"},
        {"{{ printf \"%1000000000d\" 1 | printf \"%s%s%s%s%s\" \"a\" | len | printf \"%*d\" "
         "100000000 }}x{{ .Nope }}",
         "no such field"},
        {"{{/* open", "unclosed comment"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct arena a = ARENA_INIT;
        struct str out = {0};
        struct err err = {0};
        if (expand(cases[i].text, &a, &out, &err))
            fail_msg("%s: expanded to %.*s", cases[i].text, STR_FMT(out));
        if (!strstr(err.message, cases[i].want))
            fail_msg("%s: want \"%s\", got \"%s\"", cases[i].text, cases[i].want, err.message);
        arena_deinit(&a);
    }
}

static void test_nesting_is_bounded(void **arg) {
    (void)arg;
    struct buf b = BUF_INIT;
    struct err err = {0};
    buf_putz(&b, "{{ ");
    for (int i = 0; i < 10000; i++)
        buf_putc(&b, '(');
    assert_false(gotmpl_check(buf_view(&b), &err));
    assert_non_null(strstr(err.message, "deep"));
    buf_reset(&b);
    for (int i = 0; i < 10000; i++)
        buf_putz(&b, "{{ if 1 }}");
    assert_false(gotmpl_check(buf_view(&b), &err));
    assert_non_null(strstr(err.message, "deep"));
    buf_reset(&b);
    buf_putz(&b, "{{ if 1 }}");
    for (int i = 0; i < 10000; i++)
        buf_putz(&b, "{{ else if 1 }}");
    assert_false(gotmpl_check(buf_view(&b), &err));
    buf_deinit(&b);
    assert_true(gotmpl_check(STR("{{ if 1 }}{{ else if 2 }}{{ else }}{{ end }}"), &err));
}

static void test_corpus(void **arg) {
    (void)arg;
    assert_true(corpus_replay(TESTDATA_DIR "/gotmpl", LLVMFuzzerTestOneInput) >= 10);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_expands),
        cmocka_unit_test(test_refuses),
        cmocka_unit_test(test_nesting_is_bounded),
        cmocka_unit_test(test_corpus),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
