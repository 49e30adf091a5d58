import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { useTranslation } from "react-i18next";

import { api } from "@/shared/api/client";
import type { Creator, Show } from "@/shared/api/types";
import { currentLanguage } from "@/shared/i18n";
import { formatCount } from "@/shared/lib/format";
import { useRequireUser } from "@/shared/session";
import { Avatar, Icon, toastError } from "@/shared/ui";
import styles from "./header.module.css";

function FollowButton({ creatorId }: { creatorId: string }) {
  const { t } = useTranslation("room");
  const client = useQueryClient();
  const requireUser = useRequireUser();
  const key = ["creator", creatorId];
  const creator = useQuery({ queryKey: key, queryFn: ({ signal }) => api.get<Creator>(`/creators/${creatorId}`, { signal }) }).data;
  const follow = useMutation({
    mutationFn: (on: boolean) => (on ? api.post(`/creators/${creatorId}/follow`, undefined, { retry: true }) : api.delete(`/creators/${creatorId}/follow`)),
    onMutate: (on) => client.setQueryData<Creator>(key, (old) => old && { ...old, following: on }),
    onSuccess: () => client.invalidateQueries({ queryKey: ["shows", "following"] }),
    onError: (error) => { toastError(error); void client.invalidateQueries({ queryKey: key }); },
  });
  if (!creator) return null;
  const following = creator.following ?? false;
  const toggle = async () => { if (await requireUser()) follow.mutate(!following); };
  return <button type="button" className={styles.follow} aria-pressed={following} onClick={() => void toggle()}>{t(following ? "host.following" : "host.follow")}</button>;
}

/** Who is on, with follow; the link out of the room is beside it. */
export function HostChip({ show }: { show: Show }) {
  return (
    <div className={styles.host}>
      <Avatar name={show.creator.name} url={show.creator.avatar_url} size={38} />
      <div className={styles.names}><b>{show.creator.name}</b><span>{show.title}</span></div>
      <FollowButton creatorId={show.creator.id} />
    </div>
  );
}

export function Viewers({ count }: { count: number }) {
  const { t } = useTranslation("room");
  return <span className={styles.pill}><Icon name="eye" size={16} label={t("viewers")} /><b className="num">{formatCount(count, currentLanguage())}</b></span>;
}

export function CloseRoom() {
  const { t } = useTranslation("room");
  return <Link to="/" className={styles.close} aria-label={t("leave")} title={t("leave")}><Icon name="close" size={22} /></Link>;
}
