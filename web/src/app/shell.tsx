import { Link, Outlet } from "@tanstack/react-router";
import { Suspense } from "react";
import { useTranslation } from "react-i18next";

import { currentLanguage, setLanguage } from "@/shared/i18n";
import { useOnline } from "@/shared/lib/use-media";
import { useMe, useRequireUser } from "@/shared/session";
import { Avatar, Button, Icon, type IconName } from "@/shared/ui";
import { PagePending } from "./root";
import styles from "./shell.module.css";

interface Place { to: "/" | "/orders" | "/studio" | "/seller" | "/operator" | "/me"; icon: IconName; word: string }

/** Where this person can go: everybody watches; creators, sellers and operators have rooms of their own. */
function usePlaces(): Place[] {
  const me = useMe().data;
  return [
    { to: "/", icon: "home", word: "nav.home" },
    ...(me?.user ? [{ to: "/orders", icon: "orders", word: "nav.orders" } as const] : []),
    ...(me?.creator ? [{ to: "/studio", icon: "video", word: "nav.studio" } as const] : []),
    ...(me?.sellers.length ? [{ to: "/seller", icon: "stall", word: "nav.seller" } as const] : []),
    ...(me?.is_operator ? [{ to: "/operator", icon: "settings", word: "nav.operator" } as const] : []),
  ];
}

function LanguageButton() {
  const { t } = useTranslation();
  return (
    <Button tone="ghost" size="small" icon="globe" aria-label={t("nav.languageLabel")} onClick={() => setLanguage(currentLanguage() === "en" ? "zh" : "en")}>
      {t("nav.language")}
    </Button>
  );
}

function Account() {
  const { t } = useTranslation();
  const me = useMe();
  const requireUser = useRequireUser();
  if (!me.data) return <span className={styles.accountSpace} />;
  const user = me.data.user;
  if (!user) return <Button tone="ink" size="small" onClick={() => void requireUser()}>{t("nav.signIn")}</Button>;
  return <Link to="/me" className={styles.account} aria-label={t("nav.account")}><Avatar name={user.name} url={me.data.creator?.avatar_url} /></Link>;
}

function NavLinks({ className, places }: { className?: string; places: Place[] }) {
  const { t } = useTranslation();
  return (
    <nav className={className} aria-label={t("nav.main")}>
      {places.map(({ to, icon, word }) => (
        <Link key={to} to={to} className={styles.link} activeOptions={{ exact: to === "/", includeSearch: false }}>
          <Icon name={icon} size={22} /><span>{t(word)}</span>
        </Link>
      ))}
    </nav>
  );
}

export function Shell() {
  const { t } = useTranslation();
  const places = usePlaces();
  const online = useOnline();
  const me = useMe();
  const market = me.data?.market.name;
  return (
    <div className={styles.shell}>
      <a className={styles.skip} href="#content">{t("skip")}</a>
      <header className={styles.bar}>
        <Link to="/" className={styles.brand}>
          <img src="/favicon.svg" alt="" width={32} height={32} /><span>{market ?? "Livestall"}</span>
        </Link>
        <NavLinks className={styles.top} places={places} />
        <div className={styles.right}><LanguageButton /><Account /></div>
      </header>
      {!online ? <p className={styles.offline} role="status">{t("state.offlineBand")}</p>
        : !me.data && me.failureCount > 0 && <p className={styles.offline} role="status">{t("state.trying")}</p>}
      <main id="content" className={styles.content} tabIndex={-1}>
        <Suspense fallback={<PagePending />}><Outlet /></Suspense>
      </main>
      {places.length > 1 && <NavLinks className={styles.bottom} places={places} />}
    </div>
  );
}
