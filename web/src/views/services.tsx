/* Services: what the team runs, as declared, observed, or added here. */
import { Button, TextInput } from "@mantine/core";
import { useEffect, useState, type JSX } from "react";
import { DeleteButton, FormModal } from "../components/form";
import { Icon } from "../components/icons";
import { Age, CodeBlock, Empty, FreshMark, OriginTag, PageHead, Panel, Table, WithData } from "../components/parts";
import { useT } from "../i18n";
import { getJson, postJson, remove } from "../lib/api";
import { useLoad } from "../lib/hooks";
import { navigate, useLocation } from "../lib/router";
import { allows, useSession } from "../lib/session";
import type { Inventory, Service } from "../lib/types";

const YAML = `services:
  - name: shop
    description: What customers buy from
    owner: shop-team
    channel: "#shop-alerts"
    depends_on: [payments, postgresql]
`;

const BLANK = { name: "", description: "", owner: "", channel: "", url: "" };

export default function ServicesView(): JSX.Element {
  const { t } = useT();
  const { session } = useSession();
  const location = useLocation();
  const inventory = useLoad((signal) => getJson<Inventory>("/api/hinomi/inventory", signal), "inventory", 10_000);
  const [open, setOpen] = useState(false);
  const [form, setForm] = useState(BLANK);
  const editor = allows(session, "editor");
  useEffect(() => {
    if (new URLSearchParams(location.search).has("add")) {
      setOpen(true);
      navigate("/services", { replace: true });
    }
  }, [location.search]);
  const field = (name: keyof typeof BLANK, required = false): JSX.Element => (
    <TextInput
      label={t(`service.${name}`)}
      description={name === "name" ? t("service.name.help") : undefined}
      required={required}
      withAsterisk={false}
      name={name}
      data-autofocus={name === "name" ? true : undefined}
      value={form[name]}
      onChange={(event) => {
        const { value } = event.currentTarget;
        setForm((before) => ({ ...before, [name]: value }));
      }}
    />
  );
  const create = async (): Promise<void> => {
    const text = (value: string): string | null => value.trim() || null;
    await postJson<Service>("/api/hinomi/services", {
      name: form.name.trim(),
      description: text(form.description),
      owner: text(form.owner),
      channel: text(form.channel),
      url: text(form.url),
    });
    setForm(BLANK);
    setOpen(false);
    inventory.reload();
  };
  const add = (
    <Button size="sm" leftSection={<Icon name="plus" size={16} />} onClick={() => setOpen(true)} disabled={!editor}>
      {t("service.add")}
    </Button>
  );
  return (
    <>
      <PageHead title={t("nav.services")} sub={t("service.sub")}>
        {add}
      </PageHead>
      <Panel title={t("service.list")} count={inventory.data?.services.length} flush>
        <WithData from={inventory}>
          {(data) =>
            data.services.length === 0 ? (
              <Empty title={t("service.none")} action={add}>
                {t("service.none.why")}
              </Empty>
            ) : (
              <Table
                label={t("nav.services")}
                head={
                  <>
                    <th scope="col" className="grow">{t("service.name")}</th>
                    <th scope="col">{t("service.owner")}</th>
                    <th scope="col" className="hide-s">{t("service.channel")}</th>
                    <th scope="col" className="hide-s">{t("service.seen")}</th>
                    <th scope="col">{t("origin.title")}</th>
                    <th scope="col" className="end"><span className="visually-hidden">{t("action.delete")}</span></th>
                  </>
                }
              >
                {data.services.map((service) => (
                  <tr key={service.id}>
                    <th scope="row" className="grow">
                      {service.url && /^https?:\/\//.test(service.url) ? (
                        <a href={service.url} rel="noreferrer noopener" target="_blank">{service.name}</a>
                      ) : (
                        service.name
                      )}
                      {service.description && <span className="sub wrap">{service.description}</span>}
                    </th>
                    <td>{service.owner ?? <span className="dim">{t("state.nobody")}</span>}</td>
                    <td className="hide-s">{service.channel ?? <span className="dim">–</span>}</td>
                    <td className="hide-s">
                      <FreshMark freshness={service.freshness} />
                      <span className="sub"><Age ms={service.last_seen_ms} none={t("service.never_seen")} /></span>
                    </td>
                    <td><OriginTag origin={service.origin} /></td>
                    <td className="end">
                      {service.origin === "overridden" && (
                        <DeleteButton
                          what={service.name}
                          disabled={!editor}
                          onDelete={async () => {
                            await remove(`/api/hinomi/services/${encodeURIComponent(service.id)}`);
                            inventory.reload();
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
      </Panel>
      <Panel title={t("service.later")}>
        <p>{t("service.later.text")}</p>
        <CodeBlock text={YAML} label="YAML" />
      </Panel>
      <FormModal opened={open} title={t("service.add")} submit={t("service.add")} onSubmit={create} onClose={() => setOpen(false)} disabled={!editor}>
        {field("name", true)}
        {field("description")}
        {field("owner")}
        {field("channel")}
        {field("url")}
        {!editor && <p className="dim">{t("error.role.editor")}</p>}
      </FormModal>
    </>
  );
}
