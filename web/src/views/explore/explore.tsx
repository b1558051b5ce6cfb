/* Explore: ask the series anything, and hand the answer on as a link. */
import { ActionIcon, Button, Checkbox, SegmentedControl, Tooltip } from "@mantine/core";
import { useEffect, useMemo, useState, type JSX } from "react";
import { Icon } from "../../components/icons";
import { CopyButton, Empty, Failure, Link, Loading, PageHead } from "../../components/parts";
import { PromqlEditor } from "../../components/promql-editor";
import { useT } from "../../i18n";
import { stepFor } from "../../lib/duration";
import {
  exploreLink,
  QUERIES_MAX,
  readExploreState,
  writeExploreState,
  type ExploreState,
  type ExploreTab,
} from "../../lib/explore-state";
import { navigate, useLocation } from "../../lib/router";
import { GraphResults } from "./graph";
import { useQueries } from "./run";
import { TableResults } from "./table";
import { TimeControls } from "./time-controls";

const EXAMPLES = [
  { id: "cpu", expr: '1 - avg by (instance) (rate(node_cpu_seconds_total{mode="idle"}[1m]))' },
  { id: "memory", expr: "1 - node_memory_MemAvailable_bytes / node_memory_MemTotal_bytes" },
  { id: "filesystem", expr: "node_filesystem_avail_bytes / node_filesystem_size_bytes" },
  { id: "network", expr: 'rate(node_network_receive_bytes_total{device!="lo"}[1m])' },
  { id: "up", expr: "up" },
] as const;

const LETTERS = "ABCDEFGHIJKL";

export default function ExploreView(): JSX.Element {
  const { t } = useT();
  const location = useLocation();
  const state = useMemo(() => readExploreState(location.search), [location.search]);
  const [drafts, setDrafts] = useState(() => state.queries.map((query) => query.expr));
  const [round, setRound] = useState(0);

  /* The address is the truth: back, forward and links rewrite the lines. */
  useEffect(() => setDrafts(state.queries.map((query) => query.expr)), [state.queries]);

  const go = (change: Partial<ExploreState>): void => {
    const queries = (change.queries ?? state.queries.map((query, index) => ({ ...query, expr: drafts[index] ?? query.expr })));
    navigate(`/explore${writeExploreState({ ...state, ...change, queries })}`);
  };
  const run = (): void => {
    setRound((before) => before + 1);
    go({ queries: drafts.map((expr, index) => ({ expr, hidden: state.queries[index]?.hidden ?? false })) });
  };
  const asked = state.queries.some((query) => query.expr.trim() !== "");
  const results = useQueries(state, round);
  const busy = results.some((result) => result.loading);
  const step = state.stepSeconds ?? stepFor(state.rangeSeconds);

  return (
    <>
      <PageHead title={t("nav.explore")} sub={t("explore.sub")}>
        <CopyButton text={typeof window === "undefined" ? "" : window.location.href} label={t("explore.copy_link")} />
      </PageHead>
      <section className="queries" aria-label={t("explore.queries")}>
        {drafts.map((draft, index) => {
          const result = results[index];
          const hidden = state.queries[index]?.hidden ?? false;
          const letter = LETTERS[index] ?? "?";
          const several = drafts.length > 1;
          return (
            <div key={index} className={hidden ? "query is-hidden" : "query"}>
              <div className="query-line">
                {several && <span className="query-letter">{letter}</span>}
                <PromqlEditor
                  value={draft}
                  first={index === 0}
                  onChange={(value) => setDrafts((before) => before.map((old, which) => (which === index ? value : old)))}
                  onRun={run}
                  label={several ? t("explore.query_n", { letter }) : t("explore.query")}
                  hint={t("explore.hint")}
                />
                <span className="query-tools">
                  {several && (
                    <Tooltip label={t(hidden ? "explore.show" : "explore.hide")}>
                      <ActionIcon
                        variant="subtle"
                        aria-label={t(hidden ? "explore.show" : "explore.hide")}
                        aria-pressed={hidden}
                        onClick={() =>
                          go({
                            queries: drafts.map((expr, which) => ({
                              expr,
                              hidden: which === index ? !hidden : (state.queries[which]?.hidden ?? false),
                            })),
                          })
                        }
                      >
                        <Icon name={hidden ? "eyeOff" : "eye"} />
                      </ActionIcon>
                    </Tooltip>
                  )}
                  {several && (
                    <Tooltip label={t("explore.remove")}>
                      <ActionIcon
                        variant="subtle"
                        aria-label={t("explore.remove")}
                        onClick={() =>
                          go({
                            queries: drafts.flatMap((expr, which) =>
                              which === index ? [] : [{ expr, hidden: state.queries[which]?.hidden ?? false }],
                            ),
                          })
                        }
                      >
                        <Icon name="close" />
                      </ActionIcon>
                    </Tooltip>
                  )}
                </span>
              </div>
              {result?.error && !hidden && <Failure error={result.error} />}
              {[...(result?.warnings ?? []), ...(result?.infos ?? [])].map((words) => (
                <p key={words} className="query-note">
                  {words}
                </p>
              ))}
            </div>
          );
        })}
        <div className="query-actions">
          <Button size="sm" onClick={run} leftSection={<Icon name="play" size={15} />} loading={busy} data-testid="run">
            {t("explore.run")}
          </Button>
          <Button
            size="sm"
            variant="default"
            disabled={drafts.length >= QUERIES_MAX}
            onClick={() =>
              go({
                queries: [
                  ...drafts.map((expr, index) => ({ expr, hidden: state.queries[index]?.hidden ?? false })),
                  { expr: "", hidden: false },
                ],
              })
            }
            leftSection={<Icon name="plus" size={15} />}
          >
            {t("explore.add")}
          </Button>
          <span className="spacer" />
          <TimeControls state={state} step={step} go={go} refreshNow={() => setRound((before) => before + 1)} />
        </div>
      </section>
      {!asked ? (
        <Empty title={t("explore.empty")}>
          <ul className="examples">
            {EXAMPLES.map((example) => (
              <li key={example.id}>
                <Link to={exploreLink(example.expr)}>
                  <span>{t(`explore.example.${example.id}`)}</span>
                  <code>{example.expr}</code>
                </Link>
              </li>
            ))}
          </ul>
        </Empty>
      ) : (
        <section className="results" aria-label={t("explore.results")} aria-busy={busy}>
          <div className="results-head">
            <SegmentedControl
              size="xs"
              value={state.tab}
              onChange={(tab) => go({ tab: tab as ExploreTab })}
              aria-label={t("explore.view")}
              data={[
                { value: "graph", label: t("explore.graph") },
                { value: "table", label: t("explore.table") },
              ]}
            />
            {state.tab === "graph" && (
              <Checkbox
                size="xs"
                checked={state.stacked}
                onChange={(event) => go({ stacked: event.currentTarget.checked })}
                label={t("explore.stacked")}
              />
            )}
          </div>
          {results.every((result) => result.range === null && result.instant === null && result.loading) ? (
            <Loading lines={6} />
          ) : state.tab === "graph" ? (
            <GraphResults state={state} results={results} go={go} />
          ) : (
            <TableResults state={state} results={results} />
          )}
        </section>
      )}
    </>
  );
}
