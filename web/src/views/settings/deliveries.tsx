import type { JSX } from "react";
import { Age, Empty, Mark, Panel, Table, WithData } from "../../components/parts";
import { useT } from "../../i18n";
import { getJson } from "../../lib/api";
import { useLoad } from "../../lib/hooks";
import type { Delivery, DeliveryState } from "../../lib/types";
import type { Level } from "../../lib/verdict";

const LEVELS: Record<DeliveryState, Level> = { delivered: "ok", waiting: "unknown", sending: "unknown", failed: "burning", muted: "unknown" };

export function DeliveryMark({ state }: { state: DeliveryState }): JSX.Element {
  const { t } = useT();
  return (
    <Mark level={LEVELS[state]} plain={state === "delivered"}>
      {t(`delivery.${state}`)}
    </Mark>
  );
}

export function Deliveries({ round = 0 }: { round?: number }): JSX.Element {
  const { t, tn } = useT();
  const outbox = useLoad(
    async (signal) => (await getJson<{ deliveries: Delivery[] }>("/api/hinomi/notify/outbox?limit=100", signal)).deliveries,
    `outbox ${round}`,
    5_000,
  );
  return (
    <Panel title={t("ring.deliveries")} count={outbox.data?.length} flush>
      <WithData from={outbox}>
        {(rows) =>
          rows.length === 0 ? (
            <Empty title={t("delivery.none")}>{t("delivery.none.why")}</Empty>
          ) : (
            <Table label={t("ring.deliveries")} head={<><th scope="col" className="grow">{t("delivery.what")}</th><th scope="col" className="hide-s">{t("delivery.to")}</th><th scope="col">{t("delivery.state")}</th><th scope="col" className="num">{t("delivery.when")}</th></>}>
              {rows.map((delivery) => (
                <tr key={delivery.id}>
                  <th scope="row" className="grow">
                    {delivery.title}
                    <span className="sub">{t(`delivery.kind.${delivery.kind}`)} → {delivery.receiver}</span>
                    {delivery.last_error && <span className="sub wrap error-text">{delivery.last_error}</span>}
                  </th>
                  <td className="hide-s">{delivery.receiver}</td>
                  <td>
                    <DeliveryMark state={delivery.state} />
                    <span className="sub">{tn("delivery.tries", delivery.attempts)}</span>
                  </td>
                  <td className="num"><Age ms={delivery.delivered_ms ?? delivery.created_ms} /></td>
                </tr>
              ))}
            </Table>
          )
        }
      </WithData>
    </Panel>
  );
}
