export { LiveClient, type LiveStatus } from "./client";
export { applyEvent, applyFrame, applyTotals, isGap } from "./reduce";
export { useLive, useLiveClient, useLiveStatus } from "./use-live";
