import { Outlet, type ErrorComponentProps, Link } from "@tanstack/react-router";
import { lazy, Suspense } from "react";
import { useTranslation } from "react-i18next";

import { useSignAsking } from "@/shared/session";
import { Empty, ErrorState, Skeleton, Toaster } from "@/shared/ui";
import { Unfinished } from "./pages/buying";
import styles from "./root.module.css";

const SignSheet = lazy(() => import("@/shared/session/sign-sheet"));

/** The sheet's code is fetched when someone first asks for it. */
function SignSheetHost() {
  const { open } = useSignAsking();
  return open ? <Suspense fallback={null}><SignSheet /></Suspense> : null;
}

export function Root() {
  return (
    <>
      <Suspense fallback={<PagePending />}><Outlet /></Suspense>
      <SignSheetHost />
      <Unfinished />
      <Toaster />
    </>
  );
}

export function PagePending() {
  return (
    <div className={styles.pending} aria-busy="true">
      <Skeleton width="40%" height={28} /><Skeleton height={180} radius={18} /><Skeleton height={180} radius={18} />
    </div>
  );
}

export function PageError({ error, reset }: ErrorComponentProps) {
  return <ErrorState page error={error} onRetry={reset} />;
}

export function PageMissing() {
  const { t } = useTranslation();
  return <main><Empty icon="search" title={t("state.missing")} action={<Link to="/" className={styles.home}>{t("state.onward")}</Link>} page /></main>;
}
