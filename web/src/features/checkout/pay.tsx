import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { useRef, useState } from "react";
import { useTranslation } from "react-i18next";

import { api } from "@/shared/api/client";
import { addressesQuery, orderQuery } from "@/shared/api/queries";
import type { Address, Order, PayStart, SavedAddress } from "@/shared/api/types";
import { newId } from "@/shared/lib/ids";
import { Button, Countdown, Notice, Price, Sheet, Skeleton, useSecondsLeft } from "@/shared/ui";
import { AddressFields, readAddress } from "@/shared/address/address-fields";
import { AddressChoice } from "./address-choice";
import { OrderLines } from "./order-lines";
import styles from "./checkout.module.css";

interface Props { order: Order; onClose: () => void; returnPath: string }

const plain = ({ recipient, phone, region, city, line1, line2, postcode, country }: Address): Address =>
  ({ recipient, phone, region, city, line1, line2, postcode, country });

function backUrl(returnPath: string, orderId: string): string {
  const url = new URL(returnPath, location.origin);
  url.searchParams.set("order", orderId);
  return url.toString();
}

/** The units are held: address, total, and off to the provider's page (which sends the buyer back to `returnPath`). */
export function Pay({ order, onClose, returnPath }: Props) {
  const { t } = useTranslation("checkout");
  const client = useQueryClient();
  const saved = useQuery(addressesQuery);
  const [picked, setPicked] = useState<string | null>(null);
  const form = useRef<HTMLFormElement>(null);
  const [newAddressId] = useState(() => newId());
  const chosen = picked === "new" ? undefined
    : (saved.data?.find((address) => address.id === picked) ?? saved.data?.find((address) => address.is_default) ?? saved.data?.[0]);

  const pay = useMutation({
    mutationFn: async () => {
      let address: Address | undefined = chosen;
      if (!address && form.current) {
        const entered = readAddress(form.current);
        await api.post<SavedAddress>("/me/addresses", { id: newAddressId, is_default: (saved.data?.length ?? 0) === 0, ...entered });
        address = entered;
      }
      if (address) await api.put<Order>(`/orders/${order.id}/address`, plain(address));
      return api.post<PayStart>(`/orders/${order.id}/pay`, { return_url: backUrl(returnPath, order.id) }, { retry: true });
    },
    onSuccess: ({ pay_url }) => location.assign(pay_url),
    onError: () => void client.invalidateQueries({ queryKey: orderQuery(order.id).queryKey }),
  });
  const over = useSecondsLeft(order.expires_at) === 0 && order.expires_at !== null;
  const start = () => { if (chosen || form.current?.reportValidity()) pay.mutate(); };
  const expired = () => void client.invalidateQueries({ queryKey: orderQuery(order.id).queryKey });

  const footer = (
    <div className={styles.foot}>
      <div className={styles.total}><span>{t("total")}</span><Price money={order.total} size="large" /></div>
      <Button tone="buy" size="large" wide busy={pay.isPending || pay.isSuccess} disabled={saved.isPending || over} onClick={start}>{t("pay.pay")}</Button>
    </div>
  );
  return (
    <Sheet open onClose={onClose} kind="side" title={t("pay.title")} footer={footer}>
      <div className={styles.stack}>
        {order.expires_at && (
          <Notice tone="warn">{t("pay.held")} <b><Countdown until={order.expires_at} onEnd={expired} /></b></Notice>
        )}
        {pay.error && <Notice tone="bad">{pay.error.message}</Notice>}
        <OrderLines lines={order.lines} />
        <h3>{t("pay.address")}</h3>
        {saved.isPending && <Skeleton height={96} />}
        {saved.data && saved.data.length > 0 && <AddressChoice addresses={saved.data} chosenId={chosen?.id ?? "new"} onChoose={setPicked} />}
        {!saved.isPending && !chosen && <form ref={form} onSubmit={(event) => { event.preventDefault(); start(); }}><AddressFields /></form>}
      </div>
    </Sheet>
  );
}
