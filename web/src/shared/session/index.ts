import { useQuery, useQueryClient } from "@tanstack/react-query";
import { useCallback, useSyncExternalStore } from "react";

import { meQuery } from "../api/queries";
import type { Me, User } from "../api/types";

/** Who asks for a sign-in, and waits for it. One at a time: a second asker joins the first. */
interface Asking { settle: ((user: User | null) => void)[] }
let asking: Asking | null = null;
const listeners = new Set<() => void>();
const publish = (next: Asking | null) => { asking = next; listeners.forEach((listener) => listener()); };

export function useMe() {
  return useQuery(meQuery);
}

/** The signed-in user or null; undefined while unknown. */
export function useUser(): User | null | undefined {
  return useMe().data?.user;
}

/**
 * Gives a function that resolves to the signed-in user, opening the sign-in sheet in place when there is none; null
 * when the person closes the sheet. The page behind it stays as it is.
 */
export function useRequireUser(): () => Promise<User | null> {
  const client = useQueryClient();
  return useCallback(async () => {
    const me = await client.ensureQueryData(meQuery);
    if (me.user) return me.user;
    return new Promise<User | null>((settle) => publish({ settle: [...(asking?.settle ?? []), settle] }));
  }, [client]);
}

/** For the sheet itself: whether it is asked for, and how it answers. */
export function useSignAsking(): { open: boolean; answer: (me: Me | null) => void } {
  const current = useSyncExternalStore((listener) => { listeners.add(listener); return () => listeners.delete(listener); }, () => asking);
  const client = useQueryClient();
  const answer = useCallback((me: Me | null) => {
    if (me) {
      client.setQueryData(meQuery.queryKey, me);
      void client.invalidateQueries({ predicate: (query) => query.queryKey[0] !== "me" });
    }
    const waiting = asking?.settle ?? [];
    publish(null);
    waiting.forEach((settle) => settle(me?.user ?? null));
  }, [client]);
  return { open: current !== null, answer };
}
