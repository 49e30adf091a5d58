import { useMutation } from "@tanstack/react-query";
import { useRef, useState } from "react";
import { useTranslation } from "react-i18next";

import type { Picture, Product, Seller } from "@/shared/api/types";
import { newId } from "@/shared/lib/ids";
import { Badge, Button, Confirm, IconButton, Photo, toastError } from "@/shared/ui";
import { pictureAddress, removePicture } from "../api";
import { upload } from "../upload";
import styles from "./products.module.css";

interface Sending { id: string; name: string; share: number }

export function Pictures({ seller, product, onChange }: { seller: Seller; product: Product; onChange: () => void }) {
  const { t } = useTranslation(["seller", "common"]);
  const input = useRef<HTMLInputElement>(null);
  const [sending, setSending] = useState<Sending[]>([]);
  const [removing, setRemoving] = useState<Picture | null>(null);
  const remove = useMutation({
    mutationFn: (picture: Picture) => removePicture(seller.id, product.id, picture.id),
    onSuccess: () => { setRemoving(null); onChange(); },
    onError: toastError,
  });
  const send = async (file: File) => {
    const id = newId();
    setSending((before) => [...before, { id, name: file.name, share: 0 }]);
    try {
      await upload<Picture>(pictureAddress(seller.id, product.id, id), file, (share) => setSending((before) => before.map((one) => (one.id === id ? { ...one, share } : one))));
      onChange();
    } catch (error) {
      toastError(error);
    } finally {
      setSending((before) => before.filter((one) => one.id !== id));
    }
  };
  return (
    <div className={styles.pictures}>
      {product.pictures.map((picture) => (
        <div key={picture.id} className={styles.picture}>
          <Photo url={picture.state === "ready" ? picture.thumb_url : null} alt={picture.alt} size={88} />
          {picture.state !== "ready" && <Badge tone={picture.state === "failed" ? "bad" : "warn"} className={styles.pictureState}>{t(`pictures.${picture.state}`)}</Badge>}
          <IconButton icon="close" size={16} className={styles.pictureRemove} label={t("pictures.remove")} onClick={() => setRemoving(picture)} />
        </div>
      ))}
      {sending.map((one) => (
        <div key={one.id} className={styles.sending}>
          <progress value={one.share} max={1} aria-label={t("pictures.sending", { name: one.name })} /><span className="num">{Math.round(one.share * 100)} %</span>
        </div>
      ))}
      <Button icon="image" onClick={() => input.current?.click()}>{t("pictures.add")}</Button>
      <input ref={input} type="file" accept="image/*" multiple hidden aria-label={t("pictures.add")} onChange={(event) => {
        for (const file of event.target.files ?? []) void send(file);
        event.target.value = "";
      }} />
      <Confirm open={removing !== null} title={t("pictures.removeAsk")} action={t("common:delete")} busy={remove.isPending} onClose={() => setRemoving(null)} onConfirm={() => { if (removing) remove.mutate(removing); }} />
    </div>
  );
}
