import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { type FormEvent, useState } from "react";
import { useTranslation } from "react-i18next";

import { AddressFields, AddressText, readAddress } from "@/shared/address/address-fields";
import { api } from "@/shared/api/client";
import { addressesQuery } from "@/shared/api/queries";
import type { SavedAddress } from "@/shared/api/types";
import { newId } from "@/shared/lib/ids";
import { Badge, Button, IconButton, Notice, Sheet, toastError } from "@/shared/ui";
import styles from "./me.module.css";

interface Editing { id: string; address?: SavedAddress }

function Editor({ editing, first, onClose }: { editing: Editing; first: boolean; onClose: () => void }) {
  const { t } = useTranslation("me");
  const client = useQueryClient();
  const save = useMutation({
    mutationFn: (form: HTMLFormElement) => {
      const entered = { ...readAddress(form), is_default: first || new FormData(form).get("is_default") === "on" };
      return editing.address ? api.put<SavedAddress>(`/me/addresses/${editing.id}`, { id: editing.id, ...entered }) : api.post<SavedAddress>("/me/addresses", { id: editing.id, ...entered });
    },
    onSuccess: async () => { await client.invalidateQueries({ queryKey: addressesQuery.queryKey }); onClose(); },
  });
  const submit = (event: FormEvent<HTMLFormElement>) => { event.preventDefault(); save.mutate(event.currentTarget); };
  return (
    <Sheet open onClose={onClose} title={t(editing.address ? "address.edit" : "address.new")}>
      <form className={styles.form} onSubmit={submit}>
        {save.error && <Notice tone="bad">{save.error.message}</Notice>}
        <AddressFields value={editing.address} />
        {!first && <label className={styles.check}><input type="checkbox" name="is_default" defaultChecked={editing.address?.is_default} />{t("address.makeDefault")}</label>}
        <Button type="submit" tone="ink" wide busy={save.isPending}>{t("common:save")}</Button>
      </form>
    </Sheet>
  );
}

export function Addresses() {
  const { t } = useTranslation("me");
  const client = useQueryClient();
  const query = useQuery(addressesQuery);
  const [editing, setEditing] = useState<Editing | null>(null);
  const remove = useMutation({
    mutationFn: (id: string) => api.delete(`/me/addresses/${id}`),
    onSuccess: () => client.invalidateQueries({ queryKey: addressesQuery.queryKey }), onError: toastError,
  });
  const addresses = query.data ?? [];
  return (
    <section className={styles.block}>
      <h2>{t("address.title")}</h2>
      {query.isSuccess && addresses.length === 0 && <p className={styles.quiet}>{t("address.none")}</p>}
      <ul className={styles.rows}>
        {addresses.map((address) => (
          <li key={address.id} className={styles.row}>
            <div><AddressText address={address} />{address.is_default && <> <Badge>{t("address.default")}</Badge></>}</div>
            <span className={styles.rowEnd}>
              <IconButton icon="edit" label={t("common:edit")} onClick={() => setEditing({ id: address.id, address })} />
              <IconButton icon="trash" label={t("common:delete")} onClick={() => remove.mutate(address.id)} />
            </span>
          </li>
        ))}
      </ul>
      <Button icon="plus" onClick={() => setEditing({ id: newId() })}>{t("address.new")}</Button>
      {editing && <Editor editing={editing} first={addresses.length === 0} onClose={() => setEditing(null)} />}
    </section>
  );
}
