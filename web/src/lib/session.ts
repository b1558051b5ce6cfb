import { createContext, useContext } from "react";
import type { Role, Session } from "./types";

export interface SessionValue {
  session: Session;
  reload: () => void;
}

export const SessionContext = createContext<SessionValue | null>(null);

export function useSession(): SessionValue {
  const value = useContext(SessionContext);
  if (!value) throw new Error("a view that needs the session was drawn outside of it");
  return value;
}

const RANK: Record<Role, number> = { viewer: 0, editor: 1, admin: 2 };

export function allows(session: Session, least: Role): boolean {
  return session.role !== null && RANK[session.role] >= RANK[least];
}
