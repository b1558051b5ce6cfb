/* Inventory: what there is, where it is known from, and how fresh the knowledge is. */
import { Button, TextInput } from "@mantine/core";
import { useEffect, useState, type JSX } from "react";
import { DeleteButton, FormModal } from "../../components/form";
import { Icon } from "../../components/icons";
import { Age, CodeBlock, Empty, FreshMark, LinkButton, Mark, OriginTag, PageHead, Panel, Table, Tabs, WithData } from "../../components/parts";
import { useT } from "../../i18n";
import { getJson, postJson, remove } from "../../lib/api";
import { formatBytes, formatCount, formatDuration, formatInstant, UNKNOWN } from "../../lib/format";
import { useLoad, type Loaded } from "../../lib/hooks";
import { navigate, useLocation } from "../../lib/router";
import { allows, useSession } from "../../lib/session";
import type { EnrollToken, Inventory, Target } from "../../lib/types";
import { kindName } from "../overview/panels-what";

const TABS = ["hosts", "targets", "agents", "endpoints", "people", "edges"] as const;
type Tab = (typeof TABS)[number];

export default function InventoryView(): JSX.Element {
  const { t } = useT();
  const location = useLocation();
  const wanted = location.rest[0];
  const tab: Tab = TABS.find((name) => name === wanted) ?? "hosts";
  useEffect(() => {
    if (wanted === undefined) navigate("/inventory/hosts", { replace: true });
  }, [wanted]);
  const inventory = useLoad((signal) => getJson<Inventory>("/api/hinomi/inventory", signal), "inventory", 5_000);
  const [filter, setFilter] = useState("");
  const data = inventory.data;
  const counts: Record<Tab, number | undefined> = {
    hosts: data?.hosts.length,
    targets: data?.targets.length,
    agents: data?.agents.length,
    endpoints: data?.endpoints.length,
    people: data ? data.owners.length + data.channels.length : undefined,
    edges: data?.edges.length,
  };
  return (
    <>
      <PageHead title={t("nav.inventory")} sub={t("inv.sub")}>
        {tab === "agents" && <Enroll onDone={inventory.reload} />}
      </PageHead>
      <Tabs base="/inventory" current={tab} label={t("nav.inventory")} tabs={TABS.map((id) => ({ id, label: t(`inv.${id}`), count: counts[id] }))} />
      <TextInput
        className="filter"
        placeholder={t("action.filter")}
        aria-label={t("action.filter")}
        value={filter}
        onChange={(event) => setFilter(event.currentTarget.value)}
      />
      <Panel title={t(`inv.${tab}`)} count={counts[tab]} flush>
        <WithData from={inventory}>{(loaded) => <Rows tab={tab} data={loaded} filter={filter.trim().toLowerCase()} from={inventory} />}</WithData>
      </Panel>
    </>
  );
}

/* A table of thousands is slow to draw and read by nobody; the filter looks through all. */
const ROWS_SHOWN = 200;

function matching<T>(rows: T[], filter: string): T[] {
  return filter === "" ? rows : rows.filter((row) => JSON.stringify(row).toLowerCase().includes(filter));
}

function Cut({ total, all, showAll }: { total: number; all: boolean; showAll: () => void }): JSX.Element | null {
  const { t } = useT();
  if (all || total <= ROWS_SHOWN) return null;
  return (
    <p className="panel-line dim">
      {t("state.shown", { shown: ROWS_SHOWN, total })}
      <button type="button" className="text-button" onClick={showAll}>
        {t("action.all")}
      </button>
    </p>
  );
}

function Rows({ tab, data, filter, from }: { tab: Tab; data: Inventory; filter: string; from: Loaded<Inventory> }): JSX.Element {
  const { t, lang } = useT();
  const { session } = useSession();
  const [all, setAll] = useState(false);
  useEffect(() => setAll(false), [tab]);
  const drawn = <Row,>(rows: Row[]): Row[] => (all ? rows : rows.slice(0, ROWS_SHOWN));
  const cut = (rows: unknown[]): JSX.Element => <Cut total={rows.length} all={all} showAll={() => setAll(true)} />;
  const nothing = (all: unknown[]): JSX.Element =>
    all.length > 0 ? (
      <Empty title={t("state.nomatch")} />
    ) : (
      <Empty title={t(`inv.${tab}.none`)} action={tab === "targets" ? <LinkButton to="/">{t("nav.overview")}</LinkButton> : undefined}>
        {t(`inv.${tab}.none.why`)}
      </Empty>
    );
  switch (tab) {
    case "hosts": {
      const rows = matching(data.hosts, filter);
      if (rows.length === 0) return nothing(data.hosts);
      return (
        <>
          <Table label={t("inv.hosts")} head={<><th scope="col" className="grow">{t("inv.host")}</th><th scope="col" className="hide-s">{t("inv.os")}</th><th scope="col" className="num hide-s">{t("inv.cpus")}</th><th scope="col" className="num hide-s">{t("vitals.memory")}</th><th scope="col">{t("inv.state")}</th><th scope="col">{t("origin.title")}</th></>}>
            {drawn(rows).map((host) => (
              <tr key={host.id}>
                <th scope="row" className="grow">
                  {host.name}
                  {host.is_self && <span className="tag">{t("inv.self")}</span>}
                  <span className="sub">{[host.kernel, host.architecture].filter(Boolean).join(" · ")}</span>
                </th>
                <td className="hide-s text">{host.os ?? <span className="dim">{t("state.unknown")}</span>}</td>
                <td className="num hide-s">{formatCount(host.cpus, lang)}</td>
                <td className="num hide-s">{formatBytes(host.memory_bytes)}</td>
                <td><FreshMark freshness={host.freshness} /><span className="sub"><Age ms={host.last_seen_ms} /></span></td>
                <td><OriginTag origin={host.origin} /></td>
              </tr>
            ))}
          </Table>
          {cut(rows)}
        </>
      );
    }
    case "targets": {
      const rank: Record<Target["health"], number> = { down: 0, unknown: 1, up: 2 };
      const rows = [...matching(data.targets, filter)].sort((a, b) => rank[a.health] - rank[b.health] || a.job.localeCompare(b.job));
      if (rows.length === 0) return nothing(data.targets);
      return (
        <>
          <Table label={t("inv.targets")} head={<><th scope="col" className="grow">{t("inv.target")}</th><th scope="col">{t("inv.state")}</th><th scope="col" className="num hide-s">{t("inv.scraped")}</th><th scope="col" className="hide-s">{t("origin.title")}</th><th scope="col" className="end"><span className="visually-hidden">{t("action.delete")}</span></th></>}>
            {drawn(rows).map((target) => (
              <tr key={`${target.job} ${target.url}`}>
                <th scope="row" className="grow">
                  {target.job} <span className="dim">{target.instance}</span>
                  <span className="sub mono wrap">{target.url}</span>
                  {target.last_error && <span className="sub wrap error-text">{target.last_error}</span>}
                </th>
                <td>
                  {target.health === "up" && <Mark level="ok" plain>{t("target.up")}</Mark>}
                  {target.health === "down" && <Mark level="burning">{t("target.down")}</Mark>}
                  {target.health === "unknown" && <Mark level="unknown">{t("state.unknown")}</Mark>}
                </td>
                <td className="num hide-s"><Age ms={target.last_scrape_ms} /><span className="sub">{formatDuration(target.scrape_duration_seconds, lang)}</span></td>
                <td className="hide-s"><OriginTag origin={target.origin} /></td>
                <td className="end">
                  {target.accepted_id && (
                    <DeleteButton
                      what={target.url}
                      disabled={!allows(session, "editor")}
                      onDelete={async () => {
                        await remove(`/api/hinomi/scrape-offers/accepted/${encodeURIComponent(target.accepted_id ?? "")}`);
                        from.reload();
                      }}
                    />
                  )}
                </td>
              </tr>
            ))}
          </Table>
          {cut(rows)}
        </>
      );
    }
    case "agents": {
      const rows = matching(data.agents, filter);
      if (rows.length === 0) return nothing(data.agents);
      return (
        <>
          <Table label={t("inv.agents")} head={<><th scope="col" className="grow">{t("inv.host")}</th><th scope="col">{t("inv.state")}</th><th scope="col" className="hide-s">{t("inv.version")}</th><th scope="col" className="num hide-s">{t("inv.buffered")}</th><th scope="col" className="num hide-s">{t("inv.enrolled")}</th><th scope="col" className="end"><span className="visually-hidden">{t("action.delete")}</span></th></>}>
            {drawn(rows).map((agent) => (
              <tr key={agent.id}>
                <th scope="row" className="grow">{agent.host}<span className="sub">{agent.remote_address ?? ""}</span></th>
                <td><FreshMark freshness={agent.freshness} /><span className="sub"><Age ms={agent.last_seen_ms} /></span></td>
                <td className="hide-s">{agent.version ?? UNKNOWN}</td>
                <td className="num hide-s">{formatBytes(agent.buffered_bytes)}</td>
                <td className="num hide-s">{formatInstant(agent.enrolled_ms, lang)}</td>
                <td className="end">
                  <DeleteButton
                    what={agent.host}
                    disabled={!allows(session, "admin")}
                    onDelete={async () => {
                      await remove(`/api/hinomi/agents/${encodeURIComponent(agent.id)}`);
                      from.reload();
                    }}
                  />
                </td>
              </tr>
            ))}
          </Table>
          {cut(rows)}
        </>
      );
    }
    case "endpoints": {
      const rows = matching(data.endpoints, filter);
      if (rows.length === 0) return nothing(data.endpoints);
      return (
        <>
          <Table label={t("inv.endpoints")} head={<><th scope="col" className="grow">{t("inv.endpoint")}</th><th scope="col">{t("inv.kind")}</th><th scope="col">{t("inv.service")}</th><th scope="col" className="hide-s">{t("inv.host")}</th><th scope="col">{t("origin.title")}</th></>}>
            {drawn(rows).map((endpoint) => (
              <tr key={endpoint.id}>
                <th scope="row" className="grow mono">{endpoint.address}:{endpoint.port}<span className="sub">{endpoint.proto}</span></th>
                <td>{kindName(endpoint.kind, t)}</td>
                <td>{endpoint.service ?? <span className="dim">–</span>}</td>
                <td className="hide-s">{endpoint.host ?? <span className="dim">–</span>}</td>
                <td><OriginTag origin={endpoint.origin} /></td>
              </tr>
            ))}
          </Table>
          {cut(rows)}
        </>
      );
    }
    case "people": {
      const all = [
        ...data.owners.map((owner) => ({ ...owner, what: t("inv.owner"), kind: null as string | null })),
        ...data.channels.map((channel) => ({ ...channel, what: t("inv.channel") })),
      ];
      const rows = matching(all, filter);
      if (rows.length === 0) return nothing(all);
      return (
        <>
          <Table label={t("inv.people")} head={<><th scope="col" className="grow">{t("inv.name")}</th><th scope="col">{t("inv.what")}</th><th scope="col">{t("origin.title")}</th></>}>
            {drawn(rows).map((row) => (
              <tr key={`${row.what} ${row.id}`}>
                <th scope="row" className="grow">{row.name}</th>
                <td>{row.kind ? `${row.what} (${row.kind})` : row.what}</td>
                <td><OriginTag origin={row.origin} /></td>
              </tr>
            ))}
          </Table>
          {cut(rows)}
        </>
      );
    }
    case "edges": {
      const rows = matching(data.edges, filter);
      if (rows.length === 0) return nothing(data.edges);
      return (
        <>
          <Table label={t("inv.edges")} head={<><th scope="col">{t("inv.from")}</th><th scope="col">{t("inv.relation")}</th><th scope="col" className="grow">{t("inv.to")}</th><th scope="col">{t("origin.title")}</th></>}>
            {drawn(rows).map((edge) => (
              <tr key={`${edge.from} ${edge.kind} ${edge.to}`}>
                <th scope="row" className="mono">{edge.from}</th>
                <td>{t(`edge.${edge.kind}`)}</td>
                <td className="mono grow">{edge.to}</td>
                <td><OriginTag origin={edge.origin} /></td>
              </tr>
            ))}
          </Table>
          {cut(rows)}
        </>
      );
    }
  }
}

function Enroll({ onDone }: { onDone: () => void }): JSX.Element {
  const { t, lang } = useT();
  const { session } = useSession();
  const [open, setOpen] = useState(false);
  const [made, setMade] = useState<EnrollToken | null>(null);
  const close = (): void => {
    setOpen(false);
    setMade(null);
    onDone();
  };
  return (
    <>
      <Button size="sm" leftSection={<Icon name="plus" size={16} />} disabled={!allows(session, "admin")} onClick={() => setOpen(true)}>
        {t("agent.enroll")}
      </Button>
      <FormModal
        opened={open}
        title={t("agent.enroll")}
        submit={t(made ? "action.done" : "agent.make")}
        onClose={close}
        onSubmit={async () => {
          if (made) return close();
          setMade(await postJson<EnrollToken>("/api/hinomi/agents/enroll-token", { note: null }));
        }}
      >
        <p>{t("agent.text")}</p>
        {made && (
          <>
            <CodeBlock text={made.command} label={t("agent.command")} />
            <p className="dim">{t("agent.expires", { time: formatInstant(made.expires_ms, lang) })}</p>
          </>
        )}
      </FormModal>
    </>
  );
}
