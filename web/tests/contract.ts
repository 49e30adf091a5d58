import type { components } from "@/shared/api/schema";
import type * as own from "@/shared/api/types";

/** Checked by the compiler alone: what the server says it sends (`openapi.json`) is what the pages expect to read. */
type S = components["schemas"];
type Fits<Server, Ours> = [Server] extends [Ours] ? true : { server: Server; ours: Ours };
export const fits = {
  me: true satisfies Fits<S["Me"], own.Me>,
  show: true satisfies Fits<S["Show"], own.Show>,
  place: true satisfies Fits<S["LinePlace"], own.LinePlace>,
  order: true satisfies Fits<S["Order"], own.Order>,
  snapshot: true satisfies Fits<Omit<S["Snapshot"], "chat_mode">, Omit<own.Snapshot, "chat_mode">>,
  deal: true satisfies Fits<S["Deal"], own.Deal>,
  address: true satisfies Fits<S["SavedAddress"], own.SavedAddress>,
  chat: true satisfies Fits<S["ChatMessage"], own.ChatMessage>,
  ticket: true satisfies Fits<S["Ticket"], own.Ticket>,
  token: true satisfies Fits<S["ApiToken"], own.ApiToken>,
  creator: true satisfies Fits<S["Creator"], own.Creator>,
  seller: true satisfies Fits<S["Seller"], own.Seller>,
  chapter: true satisfies Fits<S["Chapter"], own.Chapter>,
};
