import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useEffect, useRef, useState } from "react";

import type { TrayItem } from "@/shared/api/types";
import { toastError } from "@/shared/ui";
import { putTray } from "../api";
import { entryOf, type TrayEntry } from "./tray-model";

/** How long an answer is believed against what the room tells: what it tells meanwhile may be of earlier saves. */
const ANSWER_MS = 3000;

/**
 * The tray as it stands, and one way to change it: send the whole list. Until the room tells the same, the answer (or,
 * while it is on its way, the wished order) is shown, so that a drop stays where it was dropped.
 */
export function useTray(showId: string, told: readonly TrayItem[] | undefined) {
  const client = useQueryClient();
  const [answer, setAnswer] = useState<readonly TrayItem[] | null>(null);
  useEffect(() => {
    if (!answer) return;
    const timer = setTimeout(() => { setAnswer(null); }, ANSWER_MS);
    return () => { clearTimeout(timer); };
  }, [answer]);
  const wish = useRef<readonly TrayEntry[] | null>(null);
  const save = useMutation({
    // One after the other: the last wish is the last word.
    scope: { id: `tray ${showId}` },
    mutationFn: (entries: readonly TrayEntry[]) => putTray(showId, entries),
    onSuccess: (items) => {
      setAnswer(items);
      void client.invalidateQueries({ queryKey: ["studio", "snapshot", showId] });
    },
    onError: toastError,
    onSettled: () => { wish.current = null; },
  });
  const known = answer && !(told && sameTray(told, answer)) ? answer : told;
  const wished = save.isPending ? save.variables : null;
  const items = wished && known ? arrange(known, wished) : (known ?? []);
  const entries = () => wish.current ?? items.map(entryOf);
  const change = (make: (entries: readonly TrayEntry[]) => readonly TrayEntry[]) => {
    const next = make(entries());
    wish.current = next;
    return save.mutateAsync(next);
  };
  return { items, entries, change, saving: save.isPending, known: told !== undefined };
}

/** The known items in the wished order; those that were taken out are gone, those that are new come with the answer. */
function arrange(items: readonly TrayItem[], wished: readonly TrayEntry[]): TrayItem[] {
  return wished.flatMap((entry) => items.find((item) => item.listing_id === entry.listing_id) ?? []);
}

function sameTray(one: readonly TrayItem[], other: readonly TrayItem[]): boolean {
  return JSON.stringify(one.map(entryOf)) === JSON.stringify(other.map(entryOf));
}
