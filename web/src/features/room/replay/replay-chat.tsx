import type { VideoEngine } from "@/shared/video";
import { ChatLines } from "../parts/chat";
import { usePosition, useReplayChat } from "./use-replay";

interface Props { showId: string; startedAt: string | null; engine: VideoEngine | null; userId: string | undefined; column: boolean }

export function ReplayChat({ showId, startedAt, engine, userId, column }: Props) {
  const { at } = usePosition(engine);
  // Whole seconds, so that the list is not filtered on every frame.
  const streamAt = engine?.playingAt() ?? Date.parse(startedAt ?? "") + at * 1000;
  const second = Math.floor(streamAt / 1000) * 1000;
  const messages = useReplayChat(showId, at > 0 && second > 0 ? second : null);
  return <ChatLines messages={messages} userId={userId} column={column} past />;
}
