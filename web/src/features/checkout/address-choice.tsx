import { useTranslation } from "react-i18next";

import { AddressText } from "@/shared/address/address-fields";
import type { SavedAddress } from "@/shared/api/types";
import styles from "./checkout.module.css";

interface Props { addresses: SavedAddress[]; chosenId: string; onChoose: (id: string) => void }

export function AddressChoice({ addresses, chosenId, onChoose }: Props) {
  const { t } = useTranslation("checkout");
  return (
    <div role="radiogroup" aria-label={t("pay.address")} className={styles.addresses}>
      {addresses.map((address) => (
        <label key={address.id} className={styles.address}>
          <input type="radio" name="address" checked={chosenId === address.id} onChange={() => onChoose(address.id)} />
          <AddressText address={address} />
        </label>
      ))}
      <label className={styles.address}>
        <input type="radio" name="address" checked={chosenId === "new"} onChange={() => onChoose("new")} />
        <span>{t("pay.newAddress")}</span>
      </label>
    </div>
  );
}
