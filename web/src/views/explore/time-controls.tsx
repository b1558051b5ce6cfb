import { ActionIcon, Tooltip } from "@mantine/core";
import { useEffect, useState, type JSX } from "react";
import { Icon } from "../../components/icons";
import { useT } from "../../i18n";
import { parseDuration, writeDuration } from "../../lib/duration";
import { RANGE_MAX_SECONDS, RANGE_MIN_SECONDS, type ExploreState } from "../../lib/explore-state";
import { formatDuration } from "../../lib/format";

const RANGES = [300, 900, 1800, 3600, 10800, 21600, 43200, 86400, 172800, 604800, 1209600, 2592000];
const REFRESHES = [0, 1, 5, 10, 30, 60, 300];

function toLocalInput(ms: number): string {
  const date = new Date(ms - new Date(ms).getTimezoneOffset() * 60_000);
  return date.toISOString().slice(0, 19);
}

export function TimeControls({
  state,
  step,
  go,
  refreshNow,
}: {
  state: ExploreState;
  step: number;
  go: (change: Partial<ExploreState>) => void;
  refreshNow: () => void;
}): JSX.Element {
  const { t, lang } = useT();
  const [stepText, setStepText] = useState("");
  useEffect(() => setStepText(state.stepSeconds === null ? "" : writeDuration(state.stepSeconds)), [state.stepSeconds]);
  const ranges = RANGES.includes(state.rangeSeconds) ? RANGES : [...RANGES, state.rangeSeconds].sort((a, b) => a - b);
  const shift = (direction: number): void => {
    const end = (state.endMs ?? Date.now()) + (direction * state.rangeSeconds * 1000) / 2;
    go({ endMs: end >= Date.now() ? null : Math.round(end) });
  };
  const commitStep = (): void => {
    const seconds = parseDuration(stepText);
    if (stepText.trim() === "") return go({ stepSeconds: null });
    if (seconds !== null && seconds > 0) return go({ stepSeconds: seconds });
    setStepText(state.stepSeconds === null ? "" : writeDuration(state.stepSeconds));
  };
  return (
    <div className="time-controls">
      <label className="field">
        <span>{t("time.range")}</span>
        <select
          value={state.rangeSeconds}
          data-testid="range"
          onChange={(event) => {
            const seconds = Number(event.currentTarget.value);
            go({ rangeSeconds: Math.min(Math.max(seconds, RANGE_MIN_SECONDS), RANGE_MAX_SECONDS) });
          }}
        >
          {ranges.map((range) => (
            <option key={range} value={range}>
              {formatDuration(range, lang)}
            </option>
          ))}
        </select>
      </label>
      <div className="field">
        <label htmlFor="explore-end">{t("time.end")}</label>
        <span className="end-row">
          <Tooltip label={t("time.earlier")}>
            <ActionIcon variant="default" size={30} aria-label={t("time.earlier")} onClick={() => shift(-1)}>
              <Icon name="left" size={16} />
            </ActionIcon>
          </Tooltip>
          {state.endMs === null ? (
            <button type="button" id="explore-end" className="end-now" onClick={() => go({ endMs: Math.floor(Date.now() / 1000) * 1000 })}>
              {t("time.now")}
            </button>
          ) : (
            <input
              id="explore-end"
              type="datetime-local"
              step={1}
              value={toLocalInput(state.endMs)}
              onChange={(event) => {
                const ms = new Date(event.currentTarget.value).getTime();
                if (Number.isFinite(ms)) go({ endMs: ms });
              }}
            />
          )}
          <Tooltip label={t("time.later")}>
            <ActionIcon variant="default" size={30} aria-label={t("time.later")} disabled={state.endMs === null} onClick={() => shift(1)}>
              <Icon name="right" size={16} />
            </ActionIcon>
          </Tooltip>
          {state.endMs !== null && (
            <button type="button" className="text-button" onClick={() => go({ endMs: null })}>
              {t("time.to_now")}
            </button>
          )}
        </span>
      </div>
      <label className="field">
        <span>{t("time.step")}</span>
        <input
          className="step"
          value={stepText}
          placeholder={`${t("time.auto")} ${writeDuration(step)}`}
          onChange={(event) => setStepText(event.currentTarget.value)}
          onBlur={commitStep}
          onKeyDown={(event) => {
            if (event.key === "Enter") commitStep();
          }}
        />
      </label>
      <label className="field">
        <span>{t("time.refresh")}</span>
        <span className="end-row">
          <select value={state.refreshSeconds} data-testid="refresh" onChange={(event) => go({ refreshSeconds: Number(event.currentTarget.value) })}>
            {REFRESHES.map((every) => (
              <option key={every} value={every}>
                {every === 0 ? t("time.off") : formatDuration(every, lang)}
              </option>
            ))}
          </select>
          <Tooltip label={t("action.reload")}>
            <ActionIcon variant="default" size={30} aria-label={t("action.reload")} onClick={refreshNow}>
              <Icon name="reload" size={16} />
            </ActionIcon>
          </Tooltip>
        </span>
      </label>
    </div>
  );
}
