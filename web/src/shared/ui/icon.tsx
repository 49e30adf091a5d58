/** Line icons on a 24 px grid, drawn in the text's colour. */
const PATHS = {
  back: "M15 5l-7 7 7 7",
  bag: "M5 8h14l-1 12H6L5 8zM9 8V6.5a3 3 0 016 0V8",
  bolt: "M13 3L5 13.5h5.5L10 21l8.5-11H13z",
  camera: "M3 8h4l2-3h6l2 3h4v11H3zM12 16.5a3.5 3.5 0 100-7 3.5 3.5 0 000 7z",
  chart: "M4 20V4M4 20h16M8 16v-4M12 16V8M16 16v-6",
  chat: "M4 5h16v11H10l-4.5 4v-4H4z",
  check: "M5 12.5l4.5 4.5L19 7.5",
  chevron: "M9 5l7 7-7 7",
  clock: "M12 21a9 9 0 100-18 9 9 0 000 18zM12 7v5l3.5 2",
  close: "M6 6l12 12M18 6L6 18",
  copy: "M9 9h11v11H9zM5 15H4V4h11v1",
  down: "M5 9l7 7 7-7",
  edit: "M4 20h4L19 9l-4-4L4 16zM13 7l4 4",
  eye: "M2.5 12S6 5.5 12 5.5 21.5 12 21.5 12 18 18.5 12 18.5 2.5 12 2.5 12zM12 15a3 3 0 100-6 3 3 0 000 6z",
  globe: "M12 21a9 9 0 100-18 9 9 0 000 18zM3.5 9h17M3.5 15h17M12 3c-5 5.5-5 12.5 0 18M12 3c5 5.5 5 12.5 0 18",
  heart: "M12 20S3.5 15 3.5 9.2A4.7 4.7 0 0112 6.5a4.7 4.7 0 018.5 2.7C20.5 15 12 20 12 20z",
  home: "M4 11l8-7 8 7v9h-5v-6H9v6H4z",
  image: "M4 5h16v14H4zM4 16l5-5 4 4 3-3 4 4M15.5 9.5h.01",
  info: "M12 21a9 9 0 100-18 9 9 0 000 18zM12 11v5M12 7.8h.01",
  key: "M14.5 13a4.5 4.5 0 10-4-2.5L4 17v3h3v-2h2v-2h2l1.6-3.2M15.5 8.5h.01",
  minus: "M5 12h14",
  mute: "M4 9.5h3.5L12 5.5v13L7.5 14.5H4zM16 9.5l5 5M21 9.5l-5 5",
  orders: "M6 3h12v18l-3-2-3 2-3-2-3 2zM9.5 8h5M9.5 12h5",
  pause: "M8 5v14M16 5v14",
  pin: "M9 3h6l-1 6 3.5 4h-11L10 9zM12 13v8",
  play: "M7 4.5v15l12-7.5z",
  plus: "M12 5v14M5 12h14",
  search: "M11 18a7 7 0 100-14 7 7 0 000 14zM16 16l4.5 4.5",
  send: "M4 12l16-8-5 16-3.5-6.5z",
  settings: "M4 7h9M17 7h3M4 17h3M11 17h9M15 9.5a2.5 2.5 0 100-5 2.5 2.5 0 000 5zM9 19.5a2.5 2.5 0 100-5 2.5 2.5 0 000 5z",
  share: "M12 15V3.5M8 7l4-3.5L16 7M5 12v8.5h14V12",
  sound: "M4 9.5h3.5L12 5.5v13L7.5 14.5H4zM15.5 9a4.5 4.5 0 010 6M18 6.5a8 8 0 010 11",
  stall: "M4 10V20h16V10M3 10l2-6h14l2 6a3 3 0 01-6 0 3 3 0 01-6 0 3 3 0 01-6 0zM9.5 20v-5h5v5",
  trash: "M4 6.5h16M9 6V4h6v2M6 6.5L7 20.5h10l1-14M10 10.5v6M14 10.5v6",
  truck: "M2.5 6h11v10h-11zM13.5 9.5h4l3.5 3.5v3h-7.5zM7 19a2 2 0 100-4 2 2 0 000 4zM17 19a2 2 0 100-4 2 2 0 000 4z",
  upload: "M12 16V4M7.5 8L12 4l4.5 4M4 16v4.5h16V16",
  user: "M12 12a4 4 0 100-8 4 4 0 000 8zM4 20.5c.8-4 4-6 8-6s7.2 2 8 6",
  users: "M9 11.5a3.5 3.5 0 100-7 3.5 3.5 0 000 7zM2.5 20c.6-3.6 3.2-5.5 6.5-5.5s5.9 1.9 6.5 5.5M16 4.8a3.5 3.5 0 010 6.400M18 14.9c1.9.7 3.1 2.400 3.5 5.1",
  video: "M3 6h12v12H3zM15 10.5l6-3.5v10l-6-3.5z",
  warning: "M12 3.5L22 20.5H2zM12 10v5M12 17.8h.01",
} as const;

export type IconName = keyof typeof PATHS;

interface Props { name: IconName; size?: number; filled?: boolean; label?: string; className?: string }

/** Decorative unless `label` names it. */
export function Icon({ name, size = 20, filled = false, label, className }: Props) {
  return (
    <svg
      className={className} width={size} height={size} viewBox="0 0 24 24" fill={filled ? "currentColor" : "none"}
      stroke="currentColor" strokeWidth={1.8} strokeLinecap="round" strokeLinejoin="round"
      role={label ? "img" : undefined} aria-label={label} aria-hidden={label ? undefined : true} focusable="false"
    >
      <path d={PATHS[name]} />
    </svg>
  );
}
