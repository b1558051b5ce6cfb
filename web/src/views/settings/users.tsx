import { Button, PasswordInput, TextInput } from "@mantine/core";
import { useState, type JSX } from "react";
import { DeleteButton, FormModal } from "../../components/form";
import { Icon } from "../../components/icons";
import { Age, Empty, Panel, Table, WithData } from "../../components/parts";
import { useT } from "../../i18n";
import { getJson, postJson, remove } from "../../lib/api";
import { formatDate } from "../../lib/format";
import { useLoad } from "../../lib/hooks";
import { allows, useSession } from "../../lib/session";
import type { Role, User } from "../../lib/types";

const ROLES: Role[] = ["viewer", "editor", "admin"];

export function UsersTab(): JSX.Element {
  const { t, lang } = useT();
  const { session } = useSession();
  const admin = allows(session, "admin");
  const users = useLoad(async (signal) => (await getJson<{ users: User[] }>("/api/hinomi/users", signal)).users, "users");
  const [open, setOpen] = useState(false);
  const [form, setForm] = useState({ name: "", password: "", role: "viewer" as Role });
  const add = (
    <Button size="sm" leftSection={<Icon name="plus" size={16} />} disabled={!admin} onClick={() => setOpen(true)}>
      {t("user.add")}
    </Button>
  );
  return (
    <>
      {session.auth === "none" && <p className="note">{t("user.loopback")}</p>}
      <Panel title={t("settings.users")} count={users.data?.length} aside={add} flush>
        <WithData from={users}>
          {(rows) =>
            rows.length === 0 ? (
              <Empty title={t("user.none")}>{t("user.none.why")}</Empty>
            ) : (
              <Table label={t("settings.users")} head={<><th scope="col" className="grow">{t("inv.name")}</th><th scope="col">{t("user.role")}</th><th scope="col">{t("user.login")}</th><th scope="col" className="hide-s">{t("user.created")}</th><th scope="col" className="end"><span className="visually-hidden">{t("action.delete")}</span></th></>}>
                {rows.map((user) => (
                  <tr key={user.id}>
                    <th scope="row" className="grow">{user.name}</th>
                    <td>{t(`role.${user.role}`)}</td>
                    <td><Age ms={user.last_login_ms} /></td>
                    <td className="hide-s">{formatDate(user.created_ms, lang)}</td>
                    <td className="end">
                      <DeleteButton
                        what={user.name}
                        disabled={!admin}
                        onDelete={async () => {
                          await remove(`/api/hinomi/users/${encodeURIComponent(user.id)}`);
                          users.reload();
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
        title={t("user.add")}
        submit={t("user.add")}
        onClose={() => setOpen(false)}
        onSubmit={async () => {
          await postJson<User>("/api/hinomi/users", { ...form, name: form.name.trim() });
          setForm({ name: "", password: "", role: "viewer" });
          setOpen(false);
          users.reload();
        }}
      >
        <TextInput label={t("login.name")} name="name" required withAsterisk={false} data-autofocus autoComplete="off" value={form.name}
          onChange={(event) => { const { value } = event.currentTarget; setForm((before) => ({ ...before, name: value })); }} />
        <PasswordInput label={t("login.password")} description={t("user.password.help")} name="password" required withAsterisk={false} minLength={10} autoComplete="new-password" value={form.password}
          visibilityToggleButtonProps={{ "aria-label": t("login.show") }}
          onChange={(event) => { const { value } = event.currentTarget; setForm((before) => ({ ...before, password: value })); }} />
        <label className="field wide">
          <span>{t("user.role")}</span>
          <select value={form.role} onChange={(event) => { const value = event.currentTarget.value as Role; setForm((before) => ({ ...before, role: value })); }}>
            {ROLES.map((role) => <option key={role} value={role}>{t(`role.${role}`)} – {t(`role.${role}.help`)}</option>)}
          </select>
        </label>
      </FormModal>
    </>
  );
}
