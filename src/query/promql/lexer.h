/* lexer.h - PromQL tokens. The lexer follows Prometheus's states: inside braces every word is an
 * identifier, inside brackets only durations and their arithmetic are allowed. */
#ifndef PROMQL_LEXER_H
#define PROMQL_LEXER_H

#include "query/promql/ast.h"

enum pq_token {
    TOK_EOF,
    TOK_ERROR, /* message in lexer.error */
    TOK_IDENTIFIER,
    TOK_METRIC_IDENTIFIER, /* has a colon */
    TOK_STRING,
    TOK_NUMBER,
    TOK_DURATION,
    TOK_LPAREN,
    TOK_RPAREN,
    TOK_LBRACE,
    TOK_RBRACE,
    TOK_LBRACKET,
    TOK_RBRACKET,
    TOK_COMMA,
    TOK_COLON,
    TOK_EQL,
    TOK_EQL_REGEX,
    TOK_NEQ_REGEX,
    TOK_AT,
    TOK_OPERATOR,  /* op: + - * / % ^ == != <= < >= > and or unless atan2 */
    TOK_AGGREGATE, /* op */
    TOK_BOOL,      /* keywords from here on */
    TOK_BY,
    TOK_GROUP_LEFT,
    TOK_GROUP_RIGHT,
    TOK_IGNORING,
    TOK_OFFSET,
    TOK_SMOOTHED,
    TOK_ANCHORED,
    TOK_ON,
    TOK_WITHOUT,
    TOK_START, /* preprocessors */
    TOK_END,
    TOK_STEP
};

struct pq_item {
    enum pq_token token;
    enum pq_op op;
    uint32_t pos;
    struct str text;
};

struct pq_lexer {
    struct str in;
    uint32_t pos;
    int paren_depth;
    bool brace_open, bracket_open, in_duration, got_colon, got_duration;
    uint32_t error_pos;
    char error[160];
};

void pq_lexer_init(struct pq_lexer *l, struct str in);
struct pq_item pq_lex(struct pq_lexer *l);
/* As Prometheus describes an unexpected token: `identifier "foo"`, `<op:+>`, `end of input`. */
void pq_item_describe(const struct pq_item *item, struct buf *out);

#endif
