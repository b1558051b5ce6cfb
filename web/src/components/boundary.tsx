/* Catches what a view throws, so that one broken view is not a blank page. The usual cause is harmless: the server
 * was upgraded while this page was open, and a part that it had not loaded yet has another name now. */
import { Button } from "@mantine/core";
import { Component, type JSX, type ReactNode } from "react";
import { useT } from "../i18n";
import { Failure } from "./parts";

interface Props {
  children: ReactNode;
  /* another place starts afresh */
  place: string;
}

export class Boundary extends Component<Props, { error: Error | null; place: string }> {
  override state = { error: null as Error | null, place: this.props.place };

  static getDerivedStateFromError(error: unknown): { error: Error } {
    return { error: error instanceof Error ? error : new Error(String(error)) };
  }

  static getDerivedStateFromProps(props: Props, state: { place: string }): { error: null; place: string } | null {
    return props.place === state.place ? null : { error: null, place: props.place };
  }

  override render(): ReactNode {
    return this.state.error ? <Broken error={this.state.error} /> : this.props.children;
  }
}

export function isMissingPart(error: Error): boolean {
  return /dynamically imported module|module script|Importing a module/i.test(error.message);
}

function Broken({ error }: { error: Error }): JSX.Element {
  const { t } = useT();
  return (
    <div className="stack">
      <h1 className="visually-hidden">{t("error.view")}</h1>
      <Failure error={new Error(isMissingPart(error) ? t("error.upgraded") : `${t("error.view")} ${error.message}`)} />
      <div className="row">
        <Button size="sm" onClick={() => window.location.reload()}>
          {t("error.reload")}
        </Button>
      </div>
    </div>
  );
}
