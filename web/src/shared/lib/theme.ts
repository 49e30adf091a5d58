import { useEffect } from "react";

const dark = window.matchMedia("(prefers-color-scheme: dark)");
let forced: "dark" | null = null;

function apply(): void {
  document.documentElement.dataset.theme = forced ?? (dark.matches ? "dark" : "light");
}

/** Light and dark follow the device. */
export function watchTheme(): void {
  apply();
  dark.addEventListener("change", apply);
}

/** A room is always dark, whatever the device says. */
export function useDarkPage(): void {
  useEffect(() => {
    forced = "dark";
    apply();
    return () => {
      forced = null;
      apply();
    };
  }, []);
}
