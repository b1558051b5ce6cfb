/* The configuration in force, where each part comes from, and a place to try a text before using it. */
import { Button, Textarea, TextInput } from "@mantine/core";
import { useState, type JSX } from "react";
import { Age, CodeBlock, Empty, Failure, Mark, Panel, Table, WithData } from "../../components/parts";
import { useT } from "../../i18n";
import { getJson, send } from "../../lib/api";
import { useLoad } from "../../lib/hooks";
import { allows, useSession } from "../../lib/session";
import type { Config, ConfigCheck, Diagnostic } from "../../lib/types";
import { ExportPanel } from "./receivers";

export function diagnosticPlace(diagnostic: Diagnostic): string {
  return [diagnostic.file, diagnostic.line, diagnostic.column].filter((part) => part !== null).join(":");
}

export default function ConfigTab(): JSX.Element {
  const { t } = useT();
  const { session } = useSession();
  const config = useLoad((signal) => getJson<Config>("/api/hinomi/config", signal), "config");
  const [filter, setFilter] = useState("");
  const [busy, setBusy] = useState(false);
  const [outcome, setOutcome] = useState<{ error: Error | null } | null>(null);
  const reload = async (): Promise<void> => {
    setBusy(true);
    setOutcome(null);
    try {
      await send("/-/reload", { method: "POST" });
      setOutcome({ error: null });
    } catch (failure) {
      setOutcome({ error: failure instanceof Error ? failure : new Error(String(failure)) });
    } finally {
      setBusy(false);
      config.reload();
    }
  };
  return (
    <>
      <Panel
        title={t("config.files")}
        aside={
          <Button variant="default" loading={busy} disabled={!allows(session, "admin")} onClick={() => void reload()}>
            {t("config.reload")}
          </Button>
        }
      >
        {outcome && (outcome.error ? <Failure error={outcome.error} /> : <p role="status"><Mark level="ok">{t("config.reloaded")}</Mark></p>)}
        <WithData from={config} lines={3}>
          {(data) => (
            <>
              {data.files.length === 0 ? (
                <p>{t("config.nofile")}</p>
              ) : (
                <ul className="plain">{data.files.map((file) => <li key={file} className="mono wrap">{file}</li>)}</ul>
              )}
              <p className="dim">{t("config.loaded")} <Age ms={data.loaded_ms} /></p>
              {data.last_reload_ok === false && data.last_reload_error && (
                <Failure error={new Error(`${t("config.reload_failed")} ${diagnosticPlace(data.last_reload_error)} ${data.last_reload_error.message}`)} />
              )}
            </>
          )}
        </WithData>
      </Panel>
      <CheckPanel />
      <Panel title={t("config.parts")} count={config.data?.parts.length} flush>
        <WithData from={config}>
          {(data) => {
            const wanted = filter.trim().toLowerCase();
            const rows = data.parts.filter((part) => `${part.path} ${part.value ?? ""} ${part.origin}`.toLowerCase().includes(wanted));
            return (
              <>
                <div className="panel-line">
                  <TextInput className="filter" aria-label={t("action.filter")} placeholder={t("action.filter")} value={filter} onChange={(event) => setFilter(event.currentTarget.value)} />
                </div>
                {rows.length === 0 ? (
                  <Empty title={t("state.nomatch")} />
                ) : (
                  <Table label={t("config.parts")} dense head={<><th scope="col">{t("config.path")}</th><th scope="col" className="grow">{t("explore.value")}</th><th scope="col">{t("origin.title")}</th></>}>
                    {rows.map((part) => (
                      <tr key={part.path}>
                        <th scope="row" className="mono">{part.path}</th>
                        <td className="mono grow wrap">{part.value ?? "–"}</td>
                        <td>
                          <span className={`tag tag-${part.origin}`}>{t(`config.origin.${part.origin}`)}</span>
                          {part.file && <span className="sub mono">{part.file}{part.line ? `:${part.line}` : ""}</span>}
                        </td>
                      </tr>
                    ))}
                  </Table>
                )}
              </>
            );
          }}
        </WithData>
      </Panel>
      <Panel title={t("config.effective")}>
        <p className="dim">{t("config.secrets")}</p>
        <WithData from={config}>{(data) => <CodeBlock text={data.yaml} label={t("config.effective")} />}</WithData>
      </Panel>
      <ExportPanel />
    </>
  );
}

function CheckPanel(): JSX.Element {
  const { t, tn } = useT();
  const [text, setText] = useState("");
  const [busy, setBusy] = useState(false);
  const [result, setResult] = useState<ConfigCheck | null>(null);
  const [error, setError] = useState<Error | null>(null);
  const check = async (): Promise<void> => {
    setBusy(true);
    setResult(null);
    setError(null);
    try {
      const response = await send("/api/hinomi/config/check", { method: "POST", text: { body: text, type: "application/yaml" } });
      setResult((await response.json()) as ConfigCheck);
    } catch (failure) {
      setError(failure instanceof Error ? failure : new Error(String(failure)));
    } finally {
      setBusy(false);
    }
  };
  return (
    <Panel title={t("config.check")}>
      <div className="stack">
        <p className="dim">{t("config.check.text")}</p>
        <Textarea
          aria-label={t("config.check")}
          rows={8}
          spellCheck={false}
          classNames={{ input: "mono" }}
          placeholder={"scrape_configs:\n  - job_name: shop\n    static_configs:\n      - targets: [\"127.0.0.1:8080\"]"}
          value={text}
          onChange={(event) => setText(event.currentTarget.value)}
        />
        <div className="row">
          <Button size="sm" variant="default" loading={busy} disabled={text.trim() === ""} onClick={() => void check()}>
            {t("config.check.do")}
          </Button>
        </div>
        {error && <Failure error={error} />}
        {result && (
          <div role="status" data-testid="check-result">
            {result.valid ? <Mark level="ok">{t("config.valid")}</Mark> : <Mark level="burning">{tn("config.invalid", result.diagnostics.length)}</Mark>}
            <ul className="diagnostics">
              {result.diagnostics.map((one, index) => (
                <li key={index}>
                  <span className="mono">{diagnosticPlace(one)}</span> {one.message}
                  {one.hint && <span className="sub wrap">{one.hint}</span>}
                </li>
              ))}
            </ul>
          </div>
        )}
      </div>
    </Panel>
  );
}
