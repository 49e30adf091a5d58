export { VideoEngine, type VideoState, type VideoStatus } from "./engine";
export { useVideoEngine, useVideoState } from "./use-video";
