import { useEffect, useState } from "react";

import type { ShowCard } from "@/shared/api/types";

const PREVIEW_MS = 4000;

/** The address of the show's newest picture; for a live show it changes every 4 s while the page is looked at. */
export function useMovingPreview(show: ShowCard): string | null {
  const [beat, setBeat] = useState(0);
  const moving = show.state === "live" && show.preview_url !== null;
  useEffect(() => {
    if (!moving) return;
    const timer = setInterval(() => { if (!document.hidden) setBeat((value) => value + 1); }, PREVIEW_MS);
    return () => clearInterval(timer);
  }, [moving]);
  if (!moving || !show.preview_url) return show.poster_url ?? show.preview_url;
  return beat === 0 ? show.preview_url : `${show.preview_url}${show.preview_url.includes("?") ? "&" : "?"}beat=${beat}`;
}
