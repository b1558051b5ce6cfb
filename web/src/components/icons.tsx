/* A small set of line icons, drawn for hinomi on a grid of 20. Decorative: the words beside them say the same. */
import type { JSX } from "react";

const PATHS = {
  overview: "M3 9 10 4l7 5M6 9v7M14 9v7M6 12h8M4 16h12",
  explore: "M3 16h14M3 13l4-5 3 3 4-6 3 4",
  services: "M10 3 16.5 6.5 10 10 3.5 6.5zM3.5 10 10 13.5 16.5 10M3.5 13.5 10 17l6.5-3.5",
  ring: "M5 14V9a5 5 0 0 1 10 0v5l1.5 1.5h-13zM8.5 17.5h3M10 2v2",
  checks: "M10 3a7 7 0 1 0 0 14 7 7 0 0 0 0-14M7 10l2.2 2.2L13.2 8",
  inventory: "M3.5 4.5h13v4h-13zM3.5 11.5h13v4h-13zM6 6.5h.01M6 13.5h.01",
  settings: "M4 6h7M15 6h1M4 10h1M9 10h7M4 14h7M15 14h1M13 4v4M7 8v4M13 12v4",
  burning: "M10 2.5c.5 3 4.5 4.5 4.5 9a4.5 4.5 0 0 1-9 0c0-2 1-3 1.7-4 .3 1.2.8 1.8 1.5 2.2C8.5 7 9 4.5 10 2.5z",
  warning: "M10 3.5 17.5 16.5h-15zM10 8.5v3.5M10 14.2v.01",
  ok: "M10 3a7 7 0 1 0 0 14 7 7 0 0 0 0-14M7 10l2.2 2.2L13.2 8",
  unknown: "M7.8 7.8A2.3 2.3 0 1 1 10.8 10c-.6.3-.8.7-.8 1.4M10 14v.01",
  sun: "M10 6.5a3.5 3.5 0 1 0 0 7 3.5 3.5 0 0 0 0-7M10 2v1.5M10 16.5V18M2 10h1.5M16.5 10H18M4.3 4.3l1.1 1.1M14.6 14.6l1.1 1.1M4.3 15.7l1.1-1.1M14.6 5.4l1.1-1.1",
  moon: "M16 12.2A6.5 6.5 0 0 1 7.8 4 6.5 6.5 0 1 0 16 12.2z",
  auto: "M10 3a7 7 0 1 0 0 14zM10 3a7 7 0 0 1 0 14",
  plus: "M10 4v12M4 10h12",
  close: "M5 5l10 10M15 5 5 15",
  trash: "M4 6h12M8 6V4h4v2M6 6l.7 10h6.6L14 6",
  copy: "M7 7h9v9H7zM4 13V4h9",
  check: "M4 10.5 8 14.5 16 6",
  eye: "M2.5 10S5 5 10 5s7.5 5 7.5 5-2.5 5-7.5 5-7.5-5-7.5-5zM10 8a2 2 0 1 0 0 4 2 2 0 0 0 0-4",
  eyeOff: "M3 3l14 14M8 5.3A8 8 0 0 1 10 5c5 0 7.5 5 7.5 5a13 13 0 0 1-2.2 2.8M5 6.8A13 13 0 0 0 2.5 10s2.5 5 7.5 5a8 8 0 0 0 3.4-.8",
  left: "M12 5l-5 5 5 5",
  right: "M8 5l5 5-5 5",
  play: "M6 4.5v11l9-5.5z",
  link: "M8.5 11.5a3 3 0 0 0 4.2 0l2.5-2.5A3 3 0 0 0 11 4.8l-.8.8M11.5 8.5a3 3 0 0 0-4.2 0L4.8 11A3 3 0 0 0 9 15.2l.8-.8",
  reload: "M15.5 8A6 6 0 1 0 16 11.5M16 4v4h-4",
  user: "M10 10.5a3.2 3.2 0 1 0 0-6.4 3.2 3.2 0 0 0 0 6.4M4 17c.5-3 3-4.5 6-4.5s5.5 1.5 6 4.5",
  out: "M8 4H4v12h4M9 10h8M14 7l3 3-3 3",
  slack: "M4 8.5h8M8 4v8M8 11.5h8M12 8v8",
  arrow: "M4 10h12M11.5 5.5 16 10l-4.5 4.5",
  help: "M7.8 7.8A2.3 2.3 0 1 1 10.8 10c-.6.3-.8.7-.8 1.4M10 14v.01",
} as const;

export type IconName = keyof typeof PATHS;

export function Icon({ name, size = 18 }: { name: IconName; size?: number }): JSX.Element {
  return (
    <svg
      className="icon"
      width={size}
      height={size}
      viewBox="0 0 20 20"
      fill="none"
      stroke="currentColor"
      strokeWidth="1.6"
      strokeLinecap="round"
      strokeLinejoin="round"
      aria-hidden="true"
      focusable="false"
    >
      {name === "unknown" && <circle cx="10" cy="10" r="7" strokeDasharray="2.6 2.400" />}
      <path d={PATHS[name]} />
    </svg>
  );
}

export function Logo({ size = 26 }: { size?: number }): JSX.Element {
  return (
    <svg width={size} height={size} viewBox="0 0 32 32" aria-hidden="true" focusable="false" className="logo">
      <path className="logo-tower" d="M6.5 12 16 5.5 25.5 12z" />
      <path className="logo-fire" d="M10.5 13.7h11v3.3h-11z" />
      <path className="logo-tower" d="M11.2 18.7h2.2L11 28H8.6zM18.6 18.7h2.2L23.4 28H21zM12.5 22.2h7l.4 1.8h-7.8z" />
    </svg>
  );
}
