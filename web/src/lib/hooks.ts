import { useCallback, useEffect, useRef, useState, useSyncExternalStore } from "react";
import { getJson } from "./api";
import { OverviewStream, type Live } from "./stream";
import type { Overview, OverviewHistory } from "./types";

/* The clock that ages are told by; ticks only while something on the screen asks. */
export function useNow(everyMs = 1000): number {
  const [now, setNow] = useState(() => Date.now());
  useEffect(() => {
    const timer = setInterval(() => setNow(Date.now()), everyMs);
    return () => clearInterval(timer);
  }, [everyMs]);
  return now;
}

export interface Loaded<T> {
  data: T | null;
  /* the newest try's failure; `data` may still be there, and is then old */
  error: Error | null;
  loading: boolean;
  loadedAt: number | null;
  reload: () => void;
}

/* Loads, and loads again every `refreshMs`. What was loaded before stays while newer is fetched,
 * and stays with its age when a newer try fails. */
export function useLoad<T>(
  load: (signal: AbortSignal) => Promise<T>,
  key: string,
  refreshMs = 0,
): Loaded<T> {
  const [state, setState] = useState<{ key: string; data: T | null; error: Error | null; loading: boolean; loadedAt: number | null }>({
    key,
    data: null,
    error: null,
    loading: true,
    loadedAt: null,
  });
  const [round, setRound] = useState(0);
  const loader = useRef(load);
  loader.current = load;

  useEffect(() => {
    const abort = new AbortController();
    let timer: ReturnType<typeof setTimeout> | undefined;
    const run = async (): Promise<void> => {
      setState((before) =>
        before.key === key
          ? { ...before, loading: true }
          : { key, data: null, error: null, loading: true, loadedAt: null },
      );
      try {
        const data = await loader.current(abort.signal);
        if (abort.signal.aborted) return;
        setState({ key, data, error: null, loading: false, loadedAt: Date.now() });
      } catch (error) {
        if (abort.signal.aborted) return;
        const shown = error instanceof Error ? error : new Error(String(error));
        setState((before) => ({ ...before, key, error: shown, loading: false }));
      }
      again();
    };
    /* nobody looks at a hidden page: it asks again when it is seen */
    const again = (): void => {
      if (refreshMs <= 0 || abort.signal.aborted) return;
      timer = setTimeout(() => (document.hidden ? again() : void run()), refreshMs);
    };
    void run();
    return () => {
      abort.abort();
      clearTimeout(timer);
    };
  }, [key, refreshMs, round]);

  const reload = useCallback(() => setRound((before) => before + 1), []);
  return { ...state, reload };
}

let stream: OverviewStream | null = null;

function overviewStream(): OverviewStream {
  stream ??= new OverviewStream({
    now: () => Date.now(),
    open: (url) => new EventSource(url) as unknown as import("./stream").EventSourceLike,
    fetchOverview: () => getJson<Overview>("/api/hinomi/overview"),
    fetchHistory: () => getJson<OverviewHistory>("/api/hinomi/overview/history"),
    setTimer: (run, ms) => setTimeout(run, ms),
    clearTimer: (timer) => clearTimeout(timer as ReturnType<typeof setTimeout>),
  });
  return stream;
}

export function useLive(): Live & { refresh: () => Promise<void> } {
  const source = overviewStream();
  const live = useSyncExternalStore(source.subscribe, source.get);
  return { ...live, refresh: source.refresh };
}
