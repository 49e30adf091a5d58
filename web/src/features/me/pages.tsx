import { useMutation, useQueryClient } from "@tanstack/react-query";
import { Link, useNavigate } from "@tanstack/react-router";
import { useTranslation } from "react-i18next";

import { api } from "@/shared/api/client";
import { meQuery } from "@/shared/api/queries";
import type { Me } from "@/shared/api/types";
import { useTitle } from "@/shared/lib/use-title";
import { useMe, useRequireUser } from "@/shared/session";
import { Avatar, Button, Empty, ErrorState, Icon, type IconName, Skeleton, toastError } from "@/shared/ui";
import { Addresses } from "./addresses";
import { Profile } from "./profile";
import { BecomeCreator, BecomeSeller } from "./roles";
import { Tokens } from "./tokens";
import styles from "./me.module.css";

function Doors({ me }: { me: Me }) {
  const { t } = useTranslation("me");
  const doors: { to: "/orders" | "/studio" | "/seller" | "/operator"; icon: IconName; word: string }[] = [
    { to: "/orders", icon: "orders", word: "common:nav.orders" },
    ...(me.creator ? [{ to: "/studio", icon: "video", word: "common:nav.studio" } as const] : []),
    ...(me.sellers.length > 0 ? [{ to: "/seller", icon: "stall", word: "common:nav.seller" } as const] : []),
    ...(me.is_operator ? [{ to: "/operator", icon: "settings", word: "common:nav.operator" } as const] : []),
  ];
  return (
    <ul className={styles.doors}>
      {doors.map(({ to, icon, word }) => <li key={to}><Link to={to} className={styles.door}><Icon name={icon} size={24} /><span>{t(word)}</span><Icon name="chevron" size={18} /></Link></li>)}
    </ul>
  );
}

const OWN = new Set<unknown>(["orders", "order", "addresses", "tokens"]);

function SignOut() {
  const { t } = useTranslation("me");
  const client = useQueryClient();
  const navigate = useNavigate();
  const out = useMutation({
    mutationFn: () => api.post("/sign-out"),
    onSuccess: async () => {
      await navigate({ to: "/", search: {} });
      client.removeQueries({ predicate: (query) => !query.isActive() || OWN.has(query.queryKey[0]) }); // the next person sees nothing of it
      await client.invalidateQueries({ queryKey: meQuery.queryKey });
    },
    onError: toastError,
  });
  return <Button wide busy={out.isPending} onClick={() => out.mutate()}>{t("signOut")}</Button>;
}

/** The person: name, language, addresses, the ways to become more than a buyer, tokens for programs. */
export function MePage() {
  const { t } = useTranslation("me");
  useTitle(t("title"));
  const me = useMe();
  const requireUser = useRequireUser();
  if (me.isPending) return <div className={styles.page} aria-busy="true"><Skeleton height={72} /><Skeleton height={160} radius={18} /></div>;
  if (me.error && !me.data) return <ErrorState error={me.error} onRetry={() => void me.refetch()} />;
  const user = me.data?.user;
  if (!me.data || !user) {
    return (
      <>
        <h1 className="sr-only">{t("title")}</h1>
        <Empty icon="user" title={t("signIn")} action={<Button tone="ink" onClick={() => void requireUser()}>{t("common:nav.signIn")}</Button>}>{t("signInText")}</Empty>
      </>
    );
  }
  return (
    <div className={styles.page}>
      <header className={styles.head}><Avatar name={user.name} url={me.data.creator?.avatar_url} size={64} /><div><h1>{user.name}</h1><p className={styles.quiet}>{user.login}</p></div></header>
      <Doors me={me.data} />
      <Profile user={user} />
      <Addresses />
      {!me.data.creator && <BecomeCreator user={user} />}
      <BecomeSeller sellers={me.data.sellers} />
      <Tokens />
      <SignOut />
    </div>
  );
}
