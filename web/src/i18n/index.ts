import { createContext, useContext } from "react";
import type { Lang } from "../lib/format";
import { en } from "./en";
import { ja } from "./ja";

export type Key = keyof typeof en;
export type PluralKey = Key extends infer K ? (K extends `${infer Stem}_other` ? Stem : never) : never;
export type Params = Record<string, string | number>;
export type Messages = Record<Key, string>;

export const catalogues: Record<Lang, Messages> = { en, ja };

export interface Translator {
  lang: Lang;
  t: (key: Key, params?: Params) => string;
  /* chooses <stem>_one or <stem>_other; {n} is the count */
  tn: (stem: PluralKey, n: number, params?: Params) => string;
}

export function fill(text: string, params: Params): string {
  return text.replace(/\{(\w+)\}/g, (whole, name: string) => (name in params ? String(params[name]) : whole));
}

export function translator(lang: Lang): Translator {
  const messages = catalogues[lang];
  const rules = new Intl.PluralRules(lang);
  return {
    lang,
    t: (key, params) => (params ? fill(messages[key], params) : messages[key]),
    tn: (stem, n, params) => {
      const form = rules.select(n) === "one" ? "one" : "other";
      const key = `${stem}_${form}` as Key;
      return fill(messages[key], { n, ...params });
    },
  };
}

export const TranslatorContext = createContext<Translator>(translator("en"));

export function useT(): Translator {
  return useContext(TranslatorContext);
}
