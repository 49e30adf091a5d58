import { useInfiniteQuery, useQuery } from "@tanstack/react-query";
import { useEffect, useMemo, useState } from "react";

import { api } from "@/shared/api/client";
import type { Chapter, ChatMessage, Page } from "@/shared/api/types";
import type { VideoEngine } from "@/shared/video";

/** Where a recording stands, in seconds, a few times a second. */
export function usePosition(engine: VideoEngine | null): { at: number; of: number; paused: boolean } {
  const [position, setPosition] = useState({ at: 0, of: 0, paused: true });
  useEffect(() => {
    const video = engine?.video;
    if (!video) return;
    const look = () => setPosition({ at: video.currentTime, of: Number.isFinite(video.duration) ? video.duration : 0, paused: video.paused });
    const names = ["timeupdate", "durationchange", "play", "pause", "seeked"];
    names.forEach((name) => video.addEventListener(name, look));
    return () => names.forEach((name) => video.removeEventListener(name, look));
  }, [engine]);
  return position;
}

export function useChapters(showId: string): Chapter[] {
  const query = useQuery({
    queryKey: ["chapters", showId], queryFn: ({ signal }) => api.get<Chapter[]>(`/shows/${showId}/chapters`, { signal }), staleTime: Infinity, enabled: showId !== "",
  });
  return useMemo(() => [...(query.data ?? [])].sort((a, b) => a.at_seconds - b.at_seconds), [query.data]);
}

const AHEAD_MS = 30_000;
const LINES = 40;

/** Chat as it was: lines whose stream time the picture has passed. Pages are fetched a little ahead of the picture. */
export function useReplayChat(showId: string, streamAt: number | null): ChatMessage[] {
  const query = useInfiniteQuery({
    queryKey: ["chat", showId],
    queryFn: ({ pageParam, signal }) => api.get<Page<ChatMessage>>(`/shows/${showId}/chat`, { query: { cursor: pageParam }, signal }),
    initialPageParam: null as string | null, getNextPageParam: (page) => page.next, staleTime: Infinity,
  });
  const lines = useMemo(() => query.data?.pages.flatMap((page) => page.items) ?? [], [query.data]);
  const last = lines.at(-1);
  const loadedTo = last ? Date.parse(last.stream_at ?? last.at) : 0;
  const wanted = streamAt !== null && query.hasNextPage && !query.isFetching && loadedTo < streamAt + AHEAD_MS;
  const { fetchNextPage } = query;
  useEffect(() => { if (wanted) void fetchNextPage(); }, [wanted, fetchNextPage]);
  return useMemo(
    () => (streamAt === null ? [] : lines.filter((line) => Date.parse(line.stream_at ?? line.at) <= streamAt).slice(-LINES)),
    [lines, streamAt],
  );
}
