import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { type FormEvent, useState } from "react";
import { useTranslation } from "react-i18next";

import { api } from "@/shared/api/client";
import type { ApiToken, Page } from "@/shared/api/types";
import { currentLanguage } from "@/shared/i18n";
import { formatDay } from "@/shared/lib/format";
import { newId } from "@/shared/lib/ids";
import { Badge, Button, Field, IconButton, Notice, toast, toastError } from "@/shared/ui";
import styles from "./me.module.css";

const SCOPES = ["orders:read", "orders:write", "chat:write", "profile:write", "shows:write", "catalog:write"];
const KEY = ["tokens"];

function Secret({ secret }: { secret: string }) {
  const { t } = useTranslation("me");
  const copy = () => void navigator.clipboard?.writeText(secret).then(() => toast(t("common:copied"), { tone: "good" }));
  return <Notice tone="good">{t("token.once")}<span className={styles.secret}><code>{secret}</code><IconButton icon="copy" label={t("common:copy")} onClick={copy} /></span></Notice>;
}

/** Keys for programs. The secret is shown once. */
export function Tokens() {
  const { t } = useTranslation("me");
  const client = useQueryClient();
  const [id, setId] = useState(() => newId());
  const list = useQuery({
    queryKey: KEY, queryFn: ({ signal }) => api.get<ApiToken[] | Page<ApiToken>>("/me/tokens", { signal }).then((answer) => (Array.isArray(answer) ? answer : answer.items)),
  });
  const refresh = () => client.invalidateQueries({ queryKey: KEY });
  const create = useMutation({
    mutationFn: (entry: { name: string; scopes: string[] }) => api.post<ApiToken>("/me/tokens", { id, ...entry }),
    onSuccess: () => { setId(newId()); void refresh(); },
  });
  const remove = useMutation({ mutationFn: (tokenId: string) => api.delete(`/me/tokens/${tokenId}`), onSuccess: refresh, onError: toastError });
  const submit = (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    const data = new FormData(event.currentTarget);
    create.mutate({ name: String(data.get("token")).trim(), scopes: data.getAll("scope").map(String) });
    event.currentTarget.reset();
  };
  return (
    <form className={styles.block} onSubmit={submit}>
      <h2>{t("token.title")}</h2>
      <p className={styles.quiet}>{t("token.text")}</p>
      <ul className={styles.rows}>
        {list.data?.map((token) => (
          <li key={token.id} className={styles.row}>
            <div><b>{token.name}</b><p className={styles.quiet}>{token.last_used_at ? t("token.used", { day: formatDay(token.last_used_at, currentLanguage()) }) : t("token.unused")}</p>
              {token.scopes.map((scope) => <Badge key={scope}>{scope}</Badge>)}</div>
            <IconButton icon="trash" label={`${t("common:delete")}: ${token.name}`} onClick={() => remove.mutate(token.id)} />
          </li>
        ))}
      </ul>
      {create.data?.secret && <Secret secret={create.data.secret} />}
      {create.error && <Notice tone="bad">{create.error.message}</Notice>}
      <Field name="token" label={t("token.name")} required maxLength={60} />
      <fieldset className={styles.scopes}><legend>{t("token.scopes")}</legend>
        {SCOPES.map((scope) => <label key={scope} className={styles.check}><input type="checkbox" name="scope" value={scope} defaultChecked={scope === "orders:read"} />{scope}</label>)}
      </fieldset>
      <Button type="submit" icon="key" busy={create.isPending}>{t("token.create")}</Button>
    </form>
  );
}
