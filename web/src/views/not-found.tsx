import type { JSX } from "react";
import { Empty, LinkButton, PageHead } from "../components/parts";
import { useT } from "../i18n";

export function NotFoundView({ path }: { path: string }): JSX.Element {
  const { t } = useT();
  return (
    <>
      <PageHead title={t("notfound.title")} />
      <Empty title={t("notfound.text", { path })} action={<LinkButton to="/">{t("nav.overview")}</LinkButton>} />
    </>
  );
}
