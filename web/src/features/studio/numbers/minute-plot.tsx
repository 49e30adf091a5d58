import { type PointerEvent, useEffect, useRef, useState } from "react";
import { useTranslation } from "react-i18next";

import type { TrayItem } from "@/shared/api/types";
import { currentLanguage } from "@/shared/i18n";
import { useServerNow } from "@/shared/lib/clock";
import { formatCount, formatMoney } from "@/shared/lib/format";
import styles from "./numbers.module.css";
import { areaPath, linePath, type Minute, type PinSpan, plotOf } from "./plot-geometry";

interface Props { minutes: readonly Minute[]; pins: readonly PinSpan[]; tray: readonly TrayItem[]; currency: string; running: boolean; height?: number }

function useWidth() {
  const box = useRef<HTMLDivElement>(null);
  const [width, setWidth] = useState(0);
  useEffect(() => {
    if (!box.current) return;
    const watcher = new ResizeObserver(([entry]) => setWidth(Math.round(entry?.contentRect.width ?? 0)));
    watcher.observe(box.current);
    return () => watcher.disconnect();
  }, []);
  return { box, width };
}

const clock = (time: number) =>
  new Intl.DateTimeFormat(currentLanguage() === "zh" ? "zh-CN" : "en-GB", { hour: "2-digit", minute: "2-digit" }).format(time);

/** Viewers as an area, money as bars, pins as a band beneath, each with its slot number. */
export function MinutePlot({ minutes, pins, tray, currency, running, height = 190 }: Props) {
  const { t } = useTranslation("studio");
  const { box, width } = useWidth();
  const [hover, setHover] = useState<number | null>(null);
  const language = currentLanguage();
  const frame = { width, height, left: 4, right: 4, top: 14, bottom: 46 };
  const now = useServerNow();
  const plot = plotOf(minutes, frame, now);
  const floor = height - frame.bottom;
  const middle = (minute: Minute) => plot.x(Date.parse(minute.at) + 30_000);
  const points = minutes.map((minute) => [middle(minute), plot.viewerY(minute.viewers)] as const);
  const barWidth = Math.max(2, Math.min(28, (plot.x(plot.from + 60_000) - plot.x(plot.from)) * 0.6));
  const shown = hover === null ? minutes.at(-1) : minutes[hover];
  const point = (event: PointerEvent<SVGSVGElement>) => {
    const x = event.clientX - event.currentTarget.getBoundingClientRect().left;
    const nearest = minutes.reduce((best, minute, index) => (Math.abs(middle(minute) - x) < Math.abs(middle(minutes[best] ?? minute) - x) ? index : best), 0);
    setHover(nearest);
  };
  const slot = (pin: PinSpan) => tray.find((item) => item.listing_id === pin.listing_id);
  const end = running ? now : plot.to;
  return (
    <figure className={styles.plot}>
      <figcaption className={styles.caption}>
        <span className={styles.keyViewers}>{t("numbers.viewers")}{shown && <b>{formatCount(shown.viewers, language)}</b>}</span>
        <span className={styles.keyMoney}>{t("numbers.moneyMinute")}{shown && <b>{formatMoney({ amount: shown.money_amount, currency }, language)}</b>}</span>
        {shown && <span className={styles.at}>{clock(Date.parse(shown.at))}</span>}
      </figcaption>
      <div ref={box} className={styles.box} style={{ height }}>
        {width > 0 && (
          <svg width={width} height={height} role="img" aria-label={t("numbers.plotLabel", { minutes: minutes.length })} onPointerMove={point} onPointerDown={point} onPointerLeave={() => setHover(null)}>
            {[0.5, 1].map((share) => <line key={share} x1={frame.left} x2={width - frame.right} y1={plot.viewerY(plot.viewersMax * share)} y2={plot.viewerY(plot.viewersMax * share)} className={styles.gridLine} />)}
            <line x1={frame.left} x2={width - frame.right} y1={floor} y2={floor} className={styles.floor} />
            {minutes.map((minute) => minute.money_amount > 0 && (
              <rect key={minute.at} x={middle(minute) - barWidth / 2} width={barWidth} y={plot.moneyY(minute.money_amount)} height={floor - plot.moneyY(minute.money_amount)} rx={2} className={styles.money} />
            ))}
            <path d={areaPath(points, floor)} className={styles.area} />
            <path d={linePath(points)} className={styles.line} />
            {shown && <circle cx={middle(shown)} cy={plot.viewerY(shown.viewers)} r={4} className={styles.dot} />}
            <text x={frame.left} y={10} className={styles.tick}>{formatCount(plot.viewersMax, language)}</text>
            <text x={width - frame.right} y={10} textAnchor="end" className={styles.tick}>{formatMoney({ amount: plot.moneyMax, currency }, language)}</text>
            {pins.map((pin) => <PinBand key={pin.id} pin={pin} item={slot(pin)} x={plot.x} end={end} y={floor + 6} />)}
            <text x={frame.left} y={height - 4} className={styles.tick}>{clock(plot.from)}</text>
            <text x={width - frame.right} y={height - 4} textAnchor="end" className={styles.tick}>{clock(plot.to)}</text>
          </svg>
        )}
      </div>
    </figure>
  );
}

function PinBand({ pin, item, x, end, y }: { pin: PinSpan; item: TrayItem | undefined; x: (time: number) => number; end: number; y: number }) {
  const from = x(Date.parse(pin.stream_at));
  const to = Math.max(from + 4, x(pin.ended_stream_at ? Date.parse(pin.ended_stream_at) : end));
  return (
    <g>
      <title>{item?.product.title ?? ""}</title>
      <rect x={from} width={to - from} y={y} height={18} rx={4} className={styles.pin} />
      {to - from > 14 && item && <text x={(from + to) / 2} y={y + 13} textAnchor="middle" className={styles.pinText}>{item.slot}</text>}
    </g>
  );
}
