import { useTranslation } from "react-i18next";

import type { Address } from "../api/types";
import { Field, Select } from "../ui";
import styles from "./address.module.css";

const COUNTRIES = ["CN", "HK", "TW", "SG", "MY", "JP", "KR", "US", "CA", "GB", "DE", "FR", "ES", "IT", "NL", "PL", "BR", "KE", "NG", "AU"];

/** The boxes of an address, for use inside a form; read them with `readAddress`. */
export function AddressFields({ value }: { value?: Address }) {
  const { t, i18n } = useTranslation();
  const names = new Intl.DisplayNames([i18n.language], { type: "region" });
  const home = i18n.language === "zh" ? "CN" : "GB";
  const country = value?.country ?? home;
  const all = COUNTRIES.includes(country) ? COUNTRIES : [country, ...COUNTRIES];
  return (
    <div className={styles.fields}>
      <Field name="recipient" label={t("address.recipient")} defaultValue={value?.recipient} autoComplete="name" required maxLength={80} />
      <Field name="phone" label={t("address.phone")} defaultValue={value?.phone} autoComplete="tel" type="tel" required maxLength={32} pattern="[0-9+\(\)\- ]{5,32}" />
      <Select name="country" label={t("address.country")} defaultValue={country} autoComplete="country">
        {all.map((code) => <option key={code} value={code}>{names.of(code) ?? code}</option>)}
      </Select>
      <div className={styles.pair}>
        <Field name="region" label={t("address.region")} defaultValue={value?.region} autoComplete="address-level1" maxLength={80} />
        <Field name="city" label={t("address.city")} defaultValue={value?.city} autoComplete="address-level2" required maxLength={80} />
      </div>
      <Field name="line1" label={t("address.line1")} defaultValue={value?.line1} autoComplete="address-line1" required maxLength={160} />
      <div className={styles.pair}>
        <Field name="line2" label={t("address.line2")} defaultValue={value?.line2} autoComplete="address-line2" maxLength={160} />
        <Field name="postcode" label={t("address.postcode")} defaultValue={value?.postcode} autoComplete="postal-code" maxLength={20} />
      </div>
    </div>
  );
}

export function readAddress(form: HTMLFormElement): Address {
  const data = new FormData(form);
  const text = (name: keyof Address) => String(data.get(name) ?? "").trim();
  return {
    recipient: text("recipient"), phone: text("phone"), region: text("region"), city: text("city"), line1: text("line1"), line2: text("line2"),
    postcode: text("postcode"), country: text("country"),
  };
}

/** One line per part, empty parts left out. */
export function AddressText({ address }: { address: Address }) {
  const place = [address.line1, address.line2, address.city, address.region, address.postcode].filter(Boolean).join(", ");
  return <span className={styles.text}><b>{address.recipient}</b> <span className="num">{address.phone}</span><br />{place}</span>;
}
