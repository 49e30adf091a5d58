import { lazy, Suspense, useEffect } from "react";
import { useTranslation } from "react-i18next";

import { loadWords } from "@/shared/i18n";
import { patiently } from "@/shared/lib/patiently";
import { Sheet, Skeleton } from "@/shared/ui";

/** Once the page stands and its picture has begun: whoever buys later needs nothing more of the pages' server. */
const SOON_MS = 2000;

const load = () => patiently(async () => (await Promise.all([import("@/features/checkout"), loadWords("checkout")]))[0]);

// Buying is not part of the first page: the room itself stays light.
export const Checkout = lazy(async () => ({ default: (await load()).Checkout }));
export const OrderReturn = lazy(async () => ({ default: (await load()).OrderReturn }));

const Told = lazy(async () => ({ default: (await load()).Unfinished }));
/** Whether somebody began to buy something on this device; looked at once, when the pages open, and not on the way back from paying. */
const begun = hasBegun();

function hasBegun(): boolean {
  try {
    return Object.keys(localStorage).some((key) => key.startsWith("livestall.claim.")) && !new URLSearchParams(location.search).has("order");
  } catch {
    return false; // a browser that keeps nothing
  }
}

/** Tells who came back in the middle of buying what waits for them. Costs nothing where nobody began. */
export function Unfinished() {
  return begun ? <Suspense fallback={null}><Told /></Suspense> : null;
}

/** Fetches what buying needs, a moment after the page. */
export function useCheckoutSoon(): void {
  useEffect(() => {
    const timer = setTimeout(() => void load().catch(() => undefined), SOON_MS);
    return () => clearTimeout(timer);
  }, []);
}

/** What stands there while the part is still on its way. */
export function CheckoutComing({ onClose }: { onClose: () => void }) {
  const { t } = useTranslation();
  return <Sheet open onClose={onClose} kind="side" title={t("loading")}><Skeleton height={160} radius={12} /></Sheet>;
}
