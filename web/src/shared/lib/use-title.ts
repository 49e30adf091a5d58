import { useEffect } from "react";

/** The tab's title while the page is open. */
export function useTitle(title: string | undefined): void {
  useEffect(() => {
    document.title = title ? `${title} · Livestall` : "Livestall";
  }, [title]);
}
