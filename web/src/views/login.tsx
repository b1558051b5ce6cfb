import { Button, PasswordInput, TextInput } from "@mantine/core";
import { useState, type FormEvent, type JSX } from "react";
import { Logo } from "../components/icons";
import { Failure } from "../components/parts";
import { ThemeAndLanguage } from "../components/shell";
import { useT } from "../i18n";
import { ApiError, postJson } from "../lib/api";
import type { Session } from "../lib/types";

export function LoginView({ session, onDone }: { session: Session; onDone: () => void }): JSX.Element {
  const { t } = useT();
  const [name, setName] = useState("");
  const [password, setPassword] = useState("");
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState<Error | null>(null);
  const submit = async (event: FormEvent): Promise<void> => {
    event.preventDefault();
    setBusy(true);
    setError(null);
    try {
      await postJson<Session>("/api/hinomi/login", { name, password });
      onDone();
    } catch (failure) {
      const known = failure instanceof ApiError && failure.code === "login_failed";
      setError(known ? new Error(t("login.failed")) : failure instanceof Error ? failure : new Error(String(failure)));
      setPassword("");
    } finally {
      setBusy(false);
    }
  };
  return (
    <main className="doors">
      <form className="login" onSubmit={(event) => void submit(event)}>
        <div className="login-brand">
          <Logo size={44} />
          <div>
            <h1>hinomi</h1>
            <p>{t("app.tagline")}</p>
          </div>
        </div>
        {session.first_user && <p className="note">{t("login.first")}</p>}
        {error && <Failure error={error} />}
        <TextInput
          label={t("login.name")}
          name="username"
          autoComplete="username"
          required
          withAsterisk={false}
          value={name}
          onChange={(event) => setName(event.currentTarget.value)}
        />
        <PasswordInput
          label={t("login.password")}
          name="password"
          autoComplete={session.first_user ? "new-password" : "current-password"}
          required
          withAsterisk={false}
          value={password}
          onChange={(event) => setPassword(event.currentTarget.value)}
          visibilityToggleButtonProps={{ "aria-label": t("login.show") }}
        />
        <Button type="submit" size="sm" loading={busy} fullWidth>
          {t(session.first_user ? "login.create" : "login.in")}
        </Button>
        <div className="login-tools">
          <ThemeAndLanguage />
        </div>
      </form>
    </main>
  );
}
