import type { VideoEngine } from "@/shared/video";
import { ChatLines } from "../parts/chat";
import { usePosition, useReplayChat } from "./use-replay";

export function ReplayChat({ showId, engine, userId, column }: { showId: string; engine: VideoEngine | null; userId: string | undefined; column: boolean }) {
  const { at } = usePosition(engine);
  // Whole seconds, so that the list is not filtered on every frame.
  const second = Math.floor((engine?.playingAt() ?? 0) / 1000) * 1000;
  const messages = useReplayChat(showId, at > 0 && second > 0 ? second : null);
  return <ChatLines messages={messages} userId={userId} column={column} />;
}
