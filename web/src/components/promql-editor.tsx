/* The PromQL editor. It lives in a shadow tree of its own because CodeMirror then brings its styles as
 * constructed style sheets, which a content security policy without 'unsafe-inline' allows. */
import { autocompletion, closeBrackets, closeBracketsKeymap, completionKeymap, completionStatus } from "@codemirror/autocomplete";
import { defaultKeymap, history, historyKeymap } from "@codemirror/commands";
import { bracketMatching, HighlightStyle, syntaxHighlighting } from "@codemirror/language";
import { lintKeymap } from "@codemirror/lint";
import { Compartment, EditorState, Prec } from "@codemirror/state";
import { EditorView, keymap, placeholder } from "@codemirror/view";
import { tags } from "@lezer/highlight";
import { PromQLExtension } from "@prometheus-io/codemirror-promql";
import { useEffect, useRef, type JSX } from "react";

const highlight = HighlightStyle.define([
  { tag: tags.keyword, color: "var(--code-keyword)" },
  { tag: tags.modifier, color: "var(--code-keyword)" },
  { tag: tags.function(tags.variableName), color: "var(--code-function)" },
  { tag: tags.string, color: "var(--code-string)" },
  { tag: tags.number, color: "var(--code-number)" },
  { tag: tags.labelName, color: "var(--code-label)" },
  { tag: tags.operator, color: "var(--code-keyword)" },
  { tag: tags.comment, color: "var(--ink-3)", fontStyle: "italic" },
  { tag: tags.invalid, textDecoration: "underline wavy var(--fire)" },
]);

const look = EditorView.theme({
  "&": { fontSize: "13.5px", color: "var(--ink)", backgroundColor: "transparent" },
  "&.cm-focused": { outline: "none" },
  ".cm-scroller": { fontFamily: "var(--mono)", lineHeight: "1.5", overflowX: "auto" },
  ".cm-content": { padding: "8px 0", caretColor: "var(--ink)" },
  ".cm-line": { padding: "0 10px" },
  ".cm-cursor": { borderLeftColor: "var(--ink)" },
  ".cm-placeholder": { color: "var(--ink-3)" },
  "&.cm-focused .cm-selectionBackground, .cm-selectionBackground, ::selection": {
    backgroundColor: "var(--select) !important",
  },
  ".cm-matchingBracket, &.cm-focused .cm-matchingBracket": {
    backgroundColor: "var(--select)",
    outline: "1px solid var(--line-strong)",
  },
  ".cm-tooltip": {
    backgroundColor: "var(--panel)",
    border: "1px solid var(--line-strong)",
    borderRadius: "6px",
    boxShadow: "var(--shadow)",
    color: "var(--ink)",
    maxWidth: "min(560px, 92vw)",
  },
  ".cm-tooltip.cm-tooltip-autocomplete > ul": { fontFamily: "var(--mono)", fontSize: "13px", maxHeight: "18em" },
  ".cm-tooltip.cm-tooltip-autocomplete > ul > li": { padding: "3px 8px" },
  ".cm-tooltip-autocomplete ul li[aria-selected]": { backgroundColor: "var(--select)", color: "var(--ink)" },
  ".cm-completionMatchedText": { textDecoration: "none", fontWeight: "700", color: "var(--link)" },
  ".cm-completionDetail": { color: "var(--ink-3)", fontStyle: "normal", marginLeft: "1em" },
  ".cm-completionIcon": { display: "none" },
  ".cm-completionInfo": { padding: "6px 10px", fontSize: "12.5px", maxWidth: "320px" },
  ".cm-diagnostic": { padding: "4px 10px", fontSize: "12.5px", borderLeftWidth: "3px" },
  ".cm-lintRange-error": { textDecoration: "underline wavy var(--fire) 1px", textUnderlineOffset: "3px", backgroundImage: "none" },
});

export interface PromqlEditorProps {
  value: string;
  onChange: (value: string) => void;
  onRun: () => void;
  label: string;
  hint: string;
  /* takes the focus when Explore is asked for its query line */
  first?: boolean;
}

export function PromqlEditor({ value, onChange, onRun, label, hint, first }: PromqlEditorProps): JSX.Element {
  const host = useRef<HTMLDivElement>(null);
  const view = useRef<EditorView>(null);
  const told = useRef({ onChange, onRun });
  told.current = { onChange, onRun };
  const words = useRef(new Compartment());

  useEffect(() => {
    const element = host.current;
    if (!element) return;
    const shadow = element.shadowRoot ?? element.attachShadow({ mode: "open" });
    const promql = new PromQLExtension().setComplete({
      remote: {
        url: "",
        httpMethod: "GET",
        fetchFn: (input, init) => fetch(input, { ...init, credentials: "same-origin" }),
        /* the views show what went wrong; a completion that fails only offers less */
        httpErrorHandler: () => undefined,
        cache: { maxAge: 60_000 },
      },
    });
    const editor = new EditorView({
      parent: shadow,
      root: shadow,
      state: EditorState.create({
        doc: value,
        extensions: [
          look,
          syntaxHighlighting(highlight),
          history(),
          bracketMatching(),
          closeBrackets(),
          autocompletion({ maxRenderedOptions: 100 }),
          promql.asExtension(),
          EditorView.lineWrapping,
          words.current.of([placeholder(hint), EditorView.contentAttributes.of({ "aria-label": label })]),
          Prec.high(
            keymap.of([
              {
                key: "Enter",
                run: (target) => {
                  if (completionStatus(target.state) === "active") return false;
                  told.current.onRun();
                  return true;
                },
              },
              { key: "Mod-Enter", run: () => (told.current.onRun(), true) },
              { key: "Shift-Enter", run: (target) => (target.dispatch(target.state.replaceSelection("\n")), true) },
            ]),
          ),
          keymap.of([...closeBracketsKeymap, ...completionKeymap, ...historyKeymap, ...lintKeymap, ...defaultKeymap]),
          EditorView.updateListener.of((update) => {
            if (update.docChanged) told.current.onChange(update.state.doc.toString());
          }),
        ],
      }),
    });
    view.current = editor;
    return () => {
      editor.destroy();
      promql.destroy();
      view.current = null;
    };
    /* made once; later values come through the effects below */
  }, []);

  useEffect(() => {
    view.current?.dispatch({
      effects: words.current.reconfigure([placeholder(hint), EditorView.contentAttributes.of({ "aria-label": label })]),
    });
  }, [hint, label]);

  useEffect(() => {
    const editor = view.current;
    if (editor && editor.state.doc.toString() !== value) {
      editor.dispatch({ changes: { from: 0, to: editor.state.doc.length, insert: value } });
    }
  }, [value]);

  useEffect(() => {
    if (!first) return;
    const focus = (): void => view.current?.focus();
    document.addEventListener("hinomi:focus-query", focus);
    return () => document.removeEventListener("hinomi:focus-query", focus);
  }, [first]);

  return <div ref={host} className="promql-editor" />;
}
