import { type KeyboardEvent, type PointerEvent, useRef, useState } from "react";

import { move } from "./tray-model";

interface Drag { id: string; order: string[] }

/**
 * Reordering by a handle: drag it with finger or mouse, or focus it and use the arrow keys. `onDrop` gets the place
 * the row was moved to. Rows carry `data-row={id}` inside the list.
 */
export function useDragOrder(ids: readonly string[], onDrop: (id: string, to: number) => void) {
  const list = useRef<HTMLUListElement>(null);
  const [drag, setDrag] = useState<Drag | null>(null);
  const order = drag ? drag.order : ids;

  const place = (clientY: number): number => {
    const rows = [...(list.current?.querySelectorAll<HTMLElement>("[data-row]") ?? [])];
    const at = rows.findIndex((row) => {
      const box = row.getBoundingClientRect();
      return clientY < box.top + box.height / 2;
    });
    return at < 0 ? rows.length : at;
  };
  const handle = (id: string) => ({
    onPointerDown: (event: PointerEvent<HTMLButtonElement>) => {
      event.currentTarget.setPointerCapture(event.pointerId);
      setDrag({ id, order: [...ids] });
    },
    onPointerMove: (event: PointerEvent<HTMLButtonElement>) => {
      if (!drag || drag.id !== id) return;
      const from = drag.order.indexOf(id);
      const target = place(event.clientY);
      const to = target > from ? target - 1 : target;
      if (to !== from) setDrag({ id, order: move(drag.order, from, to) });
    },
    onPointerUp: () => {
      if (!drag) return;
      const to = drag.order.indexOf(id);
      setDrag(null);
      if (to !== ids.indexOf(id)) onDrop(id, to);
    },
    onPointerCancel: () => setDrag(null),
    onKeyDown: (event: KeyboardEvent<HTMLButtonElement>) => {
      const step = { ArrowUp: -1, ArrowDown: 1 }[event.key];
      if (step === undefined) return;
      event.preventDefault();
      const to = ids.indexOf(id) + step;
      if (to >= 0 && to < ids.length) onDrop(id, to);
    },
  });
  return { list, order, handle, dragging: drag?.id ?? null };
}
