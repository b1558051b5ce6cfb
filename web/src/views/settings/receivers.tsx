/* Where alerts go. Slack is connected by pasting one URL, and tried at once. */
import { Button, PasswordInput, SegmentedControl, TextInput } from "@mantine/core";
import { useEffect, useState, type JSX } from "react";
import { DeleteButton, FormModal } from "../../components/form";
import { Icon } from "../../components/icons";
import { Age, CopyButton, Empty, Failure, Mark, OriginTag, Panel, Table, WithData } from "../../components/parts";
import { useT } from "../../i18n";
import { getJson, postJson, remove, send } from "../../lib/api";
import { useLoad } from "../../lib/hooks";
import { navigate, useLocation } from "../../lib/router";
import { allows, useSession } from "../../lib/session";
import type { Delivery, Receiver } from "../../lib/types";
import { DeliveryMark, Deliveries } from "./deliveries";

type Tried = { receiver: string; delivery: Delivery } | { receiver: string; error: Error };

export function ReceiversTab(): JSX.Element {
  const { t } = useT();
  const { session } = useSession();
  const location = useLocation();
  const editor = allows(session, "editor");
  const receivers = useLoad(
    async (signal) => (await getJson<{ receivers: Receiver[] }>("/api/hinomi/notify/receivers", signal)).receivers,
    "receivers",
    10_000,
  );
  const [open, setOpen] = useState(false);
  const [form, setForm] = useState({ kind: "slack" as "slack" | "webhook", name: "slack", url: "", channel: "" });
  const [testing, setTesting] = useState<string | null>(null);
  const [tried, setTried] = useState<Tried | null>(null);
  const [round, setRound] = useState(0);
  useEffect(() => {
    if (new URLSearchParams(location.search).has("add")) {
      setOpen(true);
      navigate("/settings/receivers", { replace: true });
    }
  }, [location.search]);
  const test = async (receiver: string): Promise<void> => {
    setTesting(receiver);
    setTried(null);
    try {
      setTried({ receiver, delivery: await postJson<Delivery>("/api/hinomi/notify/test", { receiver }) });
    } catch (failure) {
      setTried({ receiver, error: failure instanceof Error ? failure : new Error(String(failure)) });
    } finally {
      setTesting(null);
      setRound((before) => before + 1);
      receivers.reload();
    }
  };
  const connect = async (): Promise<void> => {
    const made = await postJson<Receiver>("/api/hinomi/notify/receivers", {
      name: form.name.trim(),
      kind: form.kind,
      url: form.url.trim(),
      channel: form.channel.trim() || null,
    });
    setForm({ kind: "slack", name: "slack", url: "", channel: "" });
    setOpen(false);
    receivers.reload();
    await test(made.name);
  };
  const add = (
    <Button size="sm" leftSection={<Icon name="plus" size={16} />} disabled={!editor} onClick={() => setOpen(true)}>
      {t("recv.connect")}
    </Button>
  );
  return (
    <>
      <Panel title={t("settings.receivers")} count={receivers.data?.length} aside={add} flush>
        <WithData from={receivers}>
          {(rows) =>
            rows.length === 0 ? (
              <Empty title={t("recv.none")} action={add}>{t("recv.none.why")}</Empty>
            ) : (
              <Table label={t("settings.receivers")} head={<><th scope="col" className="grow">{t("inv.name")}</th><th scope="col">{t("recv.last")}</th><th scope="col" className="hide-s">{t("origin.title")}</th><th scope="col" className="end"><span className="visually-hidden">{t("recv.test")}</span></th></>}>
                {rows.map((receiver) => (
                  <tr key={receiver.name}>
                    <th scope="row" className="grow">
                      {receiver.name} {receiver.is_default && <span className="tag">{t("recv.default")}</span>}
                      <span className="sub">{[t(`recv.kind.${receiver.kind}`), receiver.channel].filter(Boolean).join(" · ")}</span>
                      {receiver.last_error && <span className="sub wrap error-text">{receiver.last_error}</span>}
                    </th>
                    <td>
                      {receiver.last_state ? <DeliveryMark state={receiver.last_state} /> : <Mark level="unknown" plain>{t("recv.untried")}</Mark>}
                      <span className="sub"><Age ms={receiver.last_delivery_ms} /></span>
                    </td>
                    <td className="hide-s"><OriginTag origin={receiver.origin} /></td>
                    <td className="end nowrap">
                      <Button size="compact-xs" variant="default" disabled={!editor} loading={testing === receiver.name} onClick={() => void test(receiver.name)}>
                        {t("recv.test")}
                      </Button>
                      {receiver.origin === "overridden" && (
                        <DeleteButton
                          what={receiver.name}
                          disabled={!editor}
                          onDelete={async () => {
                            await remove(`/api/hinomi/notify/receivers/${encodeURIComponent(receiver.name)}`);
                            receivers.reload();
                          }}
                        />
                      )}
                    </td>
                  </tr>
                ))}
              </Table>
            )
          }
        </WithData>
        {tried && (
          <div className="panel-line" role="status" data-testid="test-result">
            {"error" in tried ? (
              <Failure error={tried.error} />
            ) : (
              <>
                <DeliveryMark state={tried.delivery.state} />{" "}
                {t(`recv.test.${tried.delivery.state}`, { name: tried.receiver })}
                {tried.delivery.last_error && <p className="error-text wrap">{tried.delivery.last_error}</p>}
              </>
            )}
          </div>
        )}
      </Panel>
      <ExportPanel />
      <Deliveries round={round} />
      <FormModal opened={open} title={t("recv.connect")} submit={t("recv.connect_test")} onSubmit={connect} onClose={() => setOpen(false)} disabled={!editor}>
        <SegmentedControl
          value={form.kind}
          aria-label={t("inv.kind")}
          onChange={(kind) =>
            setForm((before) => ({
              ...before,
              kind: kind as "slack" | "webhook",
              name: before.name === "slack" || before.name === "webhook" ? kind : before.name,
            }))
          }
          data={[
            { value: "slack", label: "Slack" },
            { value: "webhook", label: t("recv.kind.webhook") },
          ]}
        />
        <p className="dim">{t(form.kind === "slack" ? "recv.slack.help" : "recv.webhook.help")}</p>
        <PasswordInput
          label={t("recv.url")}
          placeholder={form.kind === "slack" ? "https://hooks.slack.com/services/…" : "https://…"}
          required
          withAsterisk={false}
          autoComplete="off"
          data-autofocus
          name="url"
          value={form.url}
          onChange={(event) => {
            const { value } = event.currentTarget;
            setForm((before) => ({ ...before, url: value }));
          }}
          visibilityToggleButtonProps={{ "aria-label": t("login.show") }}
        />
        <TextInput
          label={t("inv.name")}
          required
          withAsterisk={false}
          name="name"
          value={form.name}
          onChange={(event) => {
            const { value } = event.currentTarget;
            setForm((before) => ({ ...before, name: value }));
          }}
        />
        {form.kind === "slack" && (
          <TextInput
            label={t("recv.channel")}
            placeholder="#alerts"
            name="channel"
            value={form.channel}
            onChange={(event) => {
              const { value } = event.currentTarget;
              setForm((before) => ({ ...before, channel: value }));
            }}
          />
        )}
      </FormModal>
    </>
  );
}

/* What was set in the screen, as text for the team's repository. */
export function ExportPanel(): JSX.Element {
  const { t } = useT();
  const fragment = useLoad(
    async (signal) => (await send("/api/hinomi/config/export", { signal })).text(),
    "export",
  );
  return (
    <Panel title={t("export.title")} aside={fragment.data ? <CopyButton text={fragment.data} /> : undefined}>
      <p className="dim">{t("export.text")}</p>
      <WithData from={fragment} lines={2}>{(text) => <pre className="query-text">{text.trim() || t("export.empty")}</pre>}</WithData>
    </Panel>
  );
}
