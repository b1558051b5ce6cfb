import { useState, type JSX } from "react";
import { Empty, Failure, Panel, Table, WithData } from "../../components/parts";
import { useT } from "../../i18n";
import { getJson } from "../../lib/api";
import { formatInstant } from "../../lib/format";
import { useLoad } from "../../lib/hooks";
import type { AuditEntry } from "../../lib/types";

const PAGE = 100;

export function AuditTab(): JSX.Element {
  const { t, lang } = useT();
  const [older, setOlder] = useState<AuditEntry[]>([]);
  const [ended, setEnded] = useState(false);
  const [error, setError] = useState<Error | null>(null);
  const fetchPage = async (before?: number, signal?: AbortSignal): Promise<AuditEntry[]> => {
    const query = before === undefined ? "" : `&before_ms=${before}`;
    return (await getJson<{ entries: AuditEntry[] }>(`/api/hinomi/audit?limit=${PAGE}${query}`, signal)).entries;
  };
  const first = useLoad((signal) => fetchPage(undefined, signal), "audit");
  const more = async (rows: AuditEntry[]): Promise<void> => {
    setError(null);
    try {
      const page = await fetchPage(rows.at(-1)?.at_ms);
      setOlder((before) => [...before, ...page]);
      setEnded(page.length < PAGE);
    } catch (failure) {
      setError(failure instanceof Error ? failure : new Error(String(failure)));
    }
  };
  return (
    <Panel title={t("settings.audit")} flush>
      <WithData from={first}>
        {(newest) => {
          const rows = [...newest, ...older];
          if (rows.length === 0) return <Empty title={t("audit.none")}>{t("audit.none.why")}</Empty>;
          return (
            <>
              <Table label={t("settings.audit")} dense head={<><th scope="col">{t("audit.when")}</th><th scope="col">{t("audit.who")}</th><th scope="col">{t("audit.action")}</th><th scope="col" className="grow">{t("audit.what")}</th></>}>
                {rows.map((entry) => (
                  <tr key={entry.id}>
                    <td className="nowrap">{formatInstant(entry.at_ms, lang)}</td>
                    <th scope="row">{entry.actor}<span className="sub">{entry.origin_address ?? ""}</span></th>
                    <td className="mono">{entry.action}</td>
                    <td className="grow wrap">{entry.object ?? ""}{entry.detail && <span className="sub wrap">{entry.detail}</span>}</td>
                  </tr>
                ))}
              </Table>
              {error && <Failure error={error} />}
              {!ended && newest.length === PAGE && (
                <button type="button" className="text-button panel-line" onClick={() => void more(rows)}>
                  {t("audit.older")}
                </button>
              )}
            </>
          );
        }}
      </WithData>
    </Panel>
  );
}
