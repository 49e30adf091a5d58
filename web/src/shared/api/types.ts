/** The wire of the API and the socket, as the server names it. Ids are UUIDs, times ISO-8601 in UTC. */

export type Locale = "en" | "zh";
export interface Money { amount: number; currency: string }
export interface Page<T> { items: T[]; next: string | null }
export interface Problem { type?: string; title: string; status: number; detail: string; code: string }

export interface User { id: string; name: string; login: string; locale: string }
export interface Creator { id: string; name: string; bio: string; avatar_url: string | null; followers: number; following?: boolean | null }
export interface Seller { id: string; name: string; state: "applied" | "approved" | "suspended" }
export interface Market { name: string; currency: string }
export interface Me {
  user: User | null; creator: Creator | null; sellers: Seller[]; is_operator: boolean; market: Market; first_run: boolean;
}
export interface ApiToken {
  id: string; name: string; scopes: string[]; created_at: string; last_used_at?: string | null; secret?: string | null;
}
export interface Member { user_id: string; name: string; login: string }
export interface Plane { name: string; state: "up" | "down"; detail: string; code: string; values: Record<string, string | number> }
export interface Health { planes: Plane[]; drift: number; shows_live: number }

export interface Picture {
  id: string; url: string; thumb_url: string; width: number; height: number; state: "pending" | "ready" | "failed"; alt: string;
}
export interface Variant {
  id: string; title: string; sku: string; options: Record<string, string>; price: Money; compare_at: Money | null;
  available: number; picture_id: string | null;
}
export interface Product {
  id: string; seller: { id: string; name: string }; title: string; description: string;
  state: "draft" | "active" | "archived"; pictures: Picture[]; options: { name: string; values: string[] }[];
  variants: Variant[]; price_from: Money;
}
export interface ProductCard {
  id: string; title: string; seller_id: string; seller_name: string; price_from: Money; picture_url: string | null;
  variants: number; available: number;
}
export interface ImportError { line: number; column: string; value: string; message: string }
export interface Import {
  id: string; state: "reading" | "done" | "failed"; lines: number; lines_done: number; products_created: number;
  products_updated: number; pictures_pending: number; errors: ImportError[]; errors_total: number; created_at: string;
  error: string | null;
}
export interface StockRow {
  variant_id: string; product_title: string; variant_title: string; sku: string; on_hand: number; held: number;
  sold: number; available: number; in_deals: number;
}

export type ShowState = "draft" | "scheduled" | "preview" | "live" | "interrupted" | "ended" | "replay" | "purged";
export interface Playback {
  hls_url: string; whep_url: string | null; mode: "default" | "interactive"; part_seconds: number;
  target_latency_seconds: number; kind: "live" | "replay"; edge_delay_seconds: number | null; gap_seconds: number;
}
export interface ShowCard {
  id: string; title: string; state: ShowState; creator: { id: string; name: string; avatar_url: string | null };
  viewers: number; likes: number; planned_at: string | null; started_at: string | null; ended_at: string | null;
  poster_url: string | null; preview_url: string | null; playback: Playback | null; live_url: string | null;
  pinned: { title: string; price: Money; picture_url: string | null } | null;
}
export type ShowRole = "viewer" | "host" | "co-host" | "stock-clerk" | "moderator" | "observer";
export interface Show extends ShowCard {
  description: string; role: ShowRole; grace_until: string | null;
  stream: { online: boolean; protocol: string | null; since: string | null } | null; ingest_delay_ms: number; room_id: string;
}
export interface TrayVariant {
  variant_id: string; title: string; options: Record<string, string>; price: Money; list_price: Money;
  picture_url: string | null;
}
export interface TrayItem {
  listing_id: string; slot: number;
  product: { id: string; title: string; picture_url: string | null; seller_id: string; seller_name: string };
  variants: TrayVariant[]; per_buyer: number | null;
}
export interface Pin { id: string; listing_id: string; stream_at: string; ended_stream_at: string | null; primary: boolean }
export interface Ingest {
  rtmp_server: string; rtmp_key: string; whip_url: string | null; whip_token: string | null; state: string; server_kind: string;
  moved_at: string | null; warnings?: StreamWarning[];
}
export interface StreamWarning {
  code: "rare-keyframes" | "no-picture" | "broken-time" | "broken-frames" | "large-picture" | "high-bitrate" | "recording-paused" | "codec" | "sound-codec" | "bad-stream";
  value: number; detail: string;
}
export interface Ticket { ticket: string; expires_at: string; url: string }
export interface MinuteNumbers {
  at: string; viewers: number; orders: number; paid_orders: number; money_amount: number; chat: number; likes: number;
}
export interface ShowNumbers {
  minutes: MinuteNumbers[];
  totals: {
    viewers_now: number; viewers_peak: number; orders: number; paid_orders: number; money: Money; likes: number; chat: number;
  };
  pins: Pin[];
}
export interface Chapter { pin_id: string; listing_id: string; title: string; at_seconds: number }
export interface StaffMember { user_id?: string; login: string; name?: string; role: ShowRole }

export interface ChatMessage {
  id: string; user_id: string; name: string; text: string; at: string; stream_at: string | null; role: string;
}
export interface ChatMode { slow_seconds: number; muted_all: boolean; banned_words: string[] }

export interface Deal {
  id: string; show_id: string; listing_id: string; variant_id: string; kind: "flash";
  state: "countdown" | "running" | "ended" | "cancelled"; price: Money; list_price: Money; quota: number; released: number;
  held: number; sold: number; left: number; per_buyer: number; announced_at: string; announced_stream_at: string;
  opens_at: string; closes_at: string; fair_at?: string | null; slowest_tier?: Tier | null;
}
/** A way to watch, by how late the picture is. A flash sale opens when the slowest has seen it. */
export type Tier = "whep" | "ll-hls-interactive" | "ll-hls" | "hls";

export interface Address {
  recipient: string; phone: string; region: string; city: string; line1: string; line2: string; postcode: string; country: string;
}
export interface SavedAddress extends Address { id: string; is_default: boolean }
export interface OrderLine {
  variant_id: string; product_id: string; title: string; variant_title: string; picture_url: string | null;
  quantity: number; unit_price: Money; deal_id: string | null;
}
export interface Order {
  id: string; number: string; state: "placed" | "paid" | "cancelled" | "refunded" | "completed"; show_id: string | null;
  seller: { id: string; name: string }; lines: OrderLine[]; total: Money; address: Address | null; placed_at: string;
  expires_at: string | null; paid_at: string | null; cancelled_at: string | null; cancel_reason: string | null;
  payment: { state: string } | null;
  waterfall: { account: "seller" | "creator" | "market"; name: string; amount: Money; state: "estimated" | "payable" }[];
  history: { at: string; what: string }[];
}
/** A place in line: `place` of `of` claims that wait. */
export interface LineTicket { order_id: string; place: number; of: number; about_seconds: number }
export interface LinePlace {
  state: "waiting" | "placed" | "refused"; ticket?: LineTicket | null; order?: Order | null; refusal?: Problem | null;
}
export interface PayStart { pay_url: string; expires_at: string }
export interface ClaimLine { variant_id: string; listing_id?: string; deal_id?: string; quantity: number }

export interface Totals {
  /** False while the database is away: the picture goes on, orders and chat wait. */
  buying?: boolean;
  viewers?: number; likes?: number; stock?: Record<string, number>;
  deals?: Record<string, { left: number; sold: number; released: number }>;
}
export interface Snapshot {
  seq: number; server_time: string; show: Show; tray: TrayItem[]; pins: Pin[]; deals: Deal[]; chat: ChatMessage[];
  chat_mode: ChatMode; totals: Required<Omit<Totals, "buying">> & Pick<Totals, "buying">;
}
interface Numbered<K extends string, B> { seq: number; kind: K; at: string; stream_at: string | null; body: B }
export type LiveEvent =
  | Numbered<"show.moved", Pick<Show, "state" | "started_at" | "ended_at" | "grace_until" | "playback"> & Partial<Show>>
  | Numbered<"tray.changed", { tray: TrayItem[] }>
  | Numbered<"pin.started", Pin>
  | Numbered<"pin.ended", { id: string; ended_stream_at: string }>
  | Numbered<"deal.changed", Deal>
  | Numbered<"chat.said", ChatMessage>
  | Numbered<"chat.deleted", { id: string }>
  | Numbered<"chat.muted", { user_id: string; seconds: number | null }>
  | Numbered<"chat.mode", ChatMode>
  | Numbered<"sale.made", { name: string; title: string; quantity: number }>;
export type ServerFrame =
  | ({ type: "snapshot" } & Snapshot)
  | { type: "events"; from?: number; to?: number; events: LiveEvent[]; more_chat?: number; totals?: Totals }
  | { type: "answer"; id: string; ok: true; result: unknown }
  | { type: "answer"; id: string; ok: false; error: Problem }
  /** How far a command is that takes a while: a buyer's place in line. The answer still comes. */
  | { type: "progress"; id: string; progress: unknown }
  | { type: "pong"; server_time: string; at?: number | null }
  /** A negative `retry_seconds` means: come back at once with a new ticket. */
  | { type: "bye"; reason: string; code?: string; retry_seconds: number };
export type Command =
  | { type: "chat"; id: string; text: string }
  | { type: "like"; id: string; count: number }
  | { type: "buy"; id: string; lines: ClaimLine[]; traceparent?: string };
