/* A dialog that asks for something, sends it, and shows what went wrong where it was asked. */
import { Button, Modal } from "@mantine/core";
import { useEffect, useState, type FormEvent, type JSX, type ReactNode } from "react";
import { useT } from "../i18n";
import { Failure } from "./parts";

export function FormModal({
  opened,
  title,
  submit,
  onSubmit,
  onClose,
  children,
  disabled,
}: {
  opened: boolean;
  title: string;
  submit: string;
  onSubmit: () => Promise<void>;
  onClose: () => void;
  children: ReactNode;
  disabled?: boolean;
}): JSX.Element {
  const { t } = useT();
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState<Error | null>(null);
  useEffect(() => {
    if (opened) setError(null);
  }, [opened]);
  const send = async (event: FormEvent): Promise<void> => {
    event.preventDefault();
    setBusy(true);
    setError(null);
    try {
      await onSubmit();
    } catch (failure) {
      setError(failure instanceof Error ? failure : new Error(String(failure)));
    } finally {
      setBusy(false);
    }
  };
  return (
    <Modal opened={opened} onClose={onClose} title={title} closeButtonProps={{ "aria-label": t("action.close") }}>
      <form className="stack" onSubmit={(event) => void send(event)}>
        {error && <Failure error={error} />}
        {children}
        <div className="row end">
          <Button size="sm" variant="default" onClick={onClose}>
            {t("action.cancel")}
          </Button>
          <Button size="sm" type="submit" loading={busy} disabled={disabled}>
            {submit}
          </Button>
        </div>
      </form>
    </Modal>
  );
}

/* Asks once before something is taken away. */
export function DeleteButton({ what, onDelete, disabled }: { what: string; onDelete: () => Promise<void>; disabled?: boolean }): JSX.Element {
  const { t } = useT();
  const [open, setOpen] = useState(false);
  return (
    <>
      <Button size="compact-xs" variant="subtle" disabled={disabled} onClick={() => setOpen(true)} aria-label={t("delete.label", { what })}>
        {t("action.delete")}
      </Button>
      <FormModal
        opened={open}
        title={t("delete.title", { what })}
        submit={t("action.delete")}
        onClose={() => setOpen(false)}
        onSubmit={async () => {
          await onDelete();
          setOpen(false);
        }}
      >
        <p>{t("delete.text")}</p>
      </FormModal>
    </>
  );
}
