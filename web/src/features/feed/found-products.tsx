import { keepPreviousData, useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { useTranslation } from "react-i18next";

import { api } from "@/shared/api/client";
import type { Page, ProductCard } from "@/shared/api/types";
import { Badge, Photo, Price } from "@/shared/ui";
import styles from "./feed.module.css";

export function FoundProducts({ q }: { q: string }) {
  const { t } = useTranslation("feed");
  const found = useQuery({
    queryKey: ["products", q], queryFn: ({ signal }) => api.get<Page<ProductCard>>("/products", { query: { q: q || undefined }, signal }), placeholderData: keepPreviousData,
  });
  // Without words to look for this is the market's own shelf; an empty one is not worth a heading.
  if (!found.data || (!q && found.data.items.length === 0)) return null;
  return (
    <section className={styles.section} aria-live={q ? "polite" : "off"}>
      <h2>{t("products")}</h2>
      {found.data.items.length === 0 && <p className={styles.none}>{t("noProducts", { q })}</p>}
      <ul className={styles.goods}>
        {found.data.items.map((product) => (
          <li key={product.id}>
            <Link to="/products/$id" params={{ id: product.id }} search={{}} className={styles.card}>
              <span className={styles.cardPicture}>
                <Photo url={product.picture_url} className={styles.cardPhoto} />
                {(product.available < 1 || product.price_from.amount < 1) && <Badge className={styles.gone}>{t("gone")}</Badge>}
              </span>
              <span className={styles.words}><b>{product.title}</b><span>{product.seller_name}</span><Price money={product.price_from} /></span>
            </Link>
          </li>
        ))}
      </ul>
    </section>
  );
}
