import { Button, Checkbox, TextInput } from "@mantine/core";
import { useState, type JSX } from "react";
import { DeleteButton, FormModal } from "../../components/form";
import { Icon } from "../../components/icons";
import { Age, CodeBlock, Empty, Panel, Table, WithData } from "../../components/parts";
import { useT } from "../../i18n";
import { getJson, postJson, remove } from "../../lib/api";
import { formatDate } from "../../lib/format";
import { useLoad } from "../../lib/hooks";
import { allows, useSession } from "../../lib/session";
import type { Scope, Token } from "../../lib/types";

const SCOPES: Scope[] = ["write:series", "read", "write", "agent", "admin"];
const DAYS = [0, 30, 90, 365];

export function TokensTab(): JSX.Element {
  const { t, lang } = useT();
  const { session } = useSession();
  const admin = allows(session, "admin");
  const tokens = useLoad(async (signal) => (await getJson<{ tokens: Token[] }>("/api/hinomi/tokens", signal)).tokens, "tokens");
  const [open, setOpen] = useState(false);
  const [name, setName] = useState("");
  const [days, setDays] = useState(0);
  const [scopes, setScopes] = useState<Scope[]>(["write:series"]);
  const [secret, setSecret] = useState<string | null>(null);
  const close = (): void => {
    setOpen(false);
    setSecret(null);
    setName("");
  };
  const add = (
    <Button size="sm" leftSection={<Icon name="plus" size={16} />} disabled={!admin} onClick={() => setOpen(true)}>
      {t("token.add")}
    </Button>
  );
  return (
    <>
      <Panel title={t("settings.tokens")} count={tokens.data?.length} aside={add} flush>
        <WithData from={tokens}>
          {(rows) =>
            rows.length === 0 ? (
              <Empty title={t("token.none")}>{t("token.none.why")}</Empty>
            ) : (
              <Table label={t("settings.tokens")} head={<><th scope="col" className="grow">{t("inv.name")}</th><th scope="col">{t("token.scopes")}</th><th scope="col" className="hide-s">{t("token.used")}</th><th scope="col" className="hide-s">{t("token.expires")}</th><th scope="col" className="end"><span className="visually-hidden">{t("action.delete")}</span></th></>}>
                {rows.map((token) => (
                  <tr key={token.id}>
                    <th scope="row" className="grow">{token.name}<span className="sub mono">{token.prefix}…</span></th>
                    <td>{token.scopes.map((scope) => <span className="chip" key={scope}>{scope}</span>)}</td>
                    <td className="hide-s"><Age ms={token.last_used_ms} /></td>
                    <td className="hide-s">{token.expires_ms === null ? t("token.forever") : formatDate(token.expires_ms, lang)}</td>
                    <td className="end">
                      <DeleteButton
                        what={token.name}
                        disabled={!admin}
                        onDelete={async () => {
                          await remove(`/api/hinomi/tokens/${encodeURIComponent(token.id)}`);
                          tokens.reload();
                        }}
                      />
                    </td>
                  </tr>
                ))}
              </Table>
            )
          }
        </WithData>
      </Panel>
      <FormModal
        opened={open}
        title={t("token.add")}
        submit={t(secret ? "action.done" : "token.add")}
        onClose={close}
        disabled={scopes.length === 0}
        onSubmit={async () => {
          if (secret) return close();
          const made = await postJson<{ token: Token; secret: string }>("/api/hinomi/tokens", {
            name: name.trim(),
            scopes,
            expires_ms: days > 0 ? Date.now() + days * 86_400_000 : null,
          });
          setSecret(made.secret);
          tokens.reload();
        }}
      >
        {secret ? (
          <>
            <p>{t("token.once")}</p>
            <CodeBlock text={secret} label={t("token.secret")} />
          </>
        ) : (
          <>
            <TextInput label={t("inv.name")} name="name" required withAsterisk={false} data-autofocus value={name} onChange={(event) => setName(event.currentTarget.value)} />
            <fieldset className="choices">
              <legend>{t("token.scopes")}</legend>
              {SCOPES.map((scope) => (
                <Checkbox
                  key={scope}
                  label={<><code>{scope}</code> {t(`scope.${scope}`)}</>}
                  checked={scopes.includes(scope)}
                  onChange={(event) => {
                    const { checked } = event.currentTarget;
                    setScopes((before) => (checked ? [...before, scope] : before.filter((one) => one !== scope)));
                  }}
                />
              ))}
            </fieldset>
            <label className="field wide">
              <span>{t("token.expires")}</span>
              <select value={days} onChange={(event) => setDays(Number(event.currentTarget.value))}>
                {DAYS.map((count) => <option key={count} value={count}>{count === 0 ? t("token.forever") : t("days.n", { days: count })}</option>)}
              </select>
            </label>
          </>
        )}
      </FormModal>
    </>
  );
}
