import { useMutation } from "@tanstack/react-query";
import { type FormEvent, type RefObject, useEffect, useRef, useState } from "react";
import { useTranslation } from "react-i18next";

import type { ChatMessage } from "@/shared/api/types";
import { newId } from "@/shared/lib/ids";
import { Button, Empty, IconButton, toast, toastError } from "@/shared/ui";
import { deleteMessage, muteViewer, unmuteViewer } from "../api";
import type { RoomProps } from "../control-room/control-room";
import styles from "./chat.module.css";
import { ChatModeBar } from "./chat-mode-bar";
import { ChatLine } from "./chat-line";

const MUTE_SECONDS = 300;
const UNDO_MS = 5000;

/** The room's chat with a bin and a mute beside every line. A deletion can be taken back for five seconds. */
export function ChatPanel({ show, room, client, inputRef }: RoomProps & { inputRef: RefObject<HTMLInputElement | null> }) {
  const { t } = useTranslation("studio");
  const { hidden, muted, remove, mute, unmute } = useModeration(show.id);
  const messages = (room?.chat ?? []).filter((message) => !hidden.has(message.id));
  const { box, behind, toEnd, onScroll } = useFollowingList(messages.at(-1)?.id);
  return (
    <section className={styles.chat} aria-label={t("tab.chat")}>
      <ChatModeBar showId={show.id} mode={room?.chat_mode} muted={muted} onUnmute={unmute} />
      <div className={styles.scroll} ref={box} onScroll={onScroll} tabIndex={0} role="log" aria-label={t("chat.log")}>
        {messages.length === 0 && <Empty icon="chat" title={t("chat.none")}>{t("chat.noneText")}</Empty>}
        <ul>
          {messages.map((message) => (
            <ChatLine key={message.id} message={message} mutedNow={muted.has(message.user_id)} onDelete={remove} onMute={mute} />
          ))}
        </ul>
      </div>
      {behind && <Button size="small" className={styles.newest} onClick={toEnd}>{t("chat.newest")}</Button>}
      <SayForm say={(text) => client.say(newId(), text)} inputRef={inputRef} />
    </section>
  );
}

function SayForm({ say, inputRef }: { say: (text: string) => Promise<ChatMessage>; inputRef: RefObject<HTMLInputElement | null> }) {
  const { t } = useTranslation("studio");
  const send = useMutation({ mutationFn: say, onError: toastError });
  const submit = (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    const form = event.currentTarget;
    const text = String(new FormData(form).get("text") ?? "").trim();
    if (!text) return;
    form.reset();
    send.mutate(text);
  };
  return (
    <form className={styles.say} onSubmit={submit}>
      <input ref={inputRef} name="text" maxLength={200} autoComplete="off" aria-label={t("chat.say")} placeholder={t("chat.say")} />
      <IconButton type="submit" icon="send" label={t("chat.send")} />
    </form>
  );
}

/** Sticks to the newest line unless the host scrolled up to read. */
function useFollowingList(lastId: string | undefined) {
  const box = useRef<HTMLDivElement>(null);
  const following = useRef(true);
  const [behind, setBehind] = useState(false);
  const toEnd = () => {
    following.current = true;
    setBehind(false);
    if (box.current) box.current.scrollTop = box.current.scrollHeight;
  };
  useEffect(() => {
    if (following.current && box.current) box.current.scrollTop = box.current.scrollHeight;
  }, [lastId]);
  const onScroll = () => {
    const element = box.current;
    if (!element) return;
    following.current = element.scrollHeight - element.scrollTop - element.clientHeight < 60;
    setBehind(!following.current);
  };
  return { box, behind, toEnd, onScroll };
}

function useModeration(showId: string) {
  const { t } = useTranslation("studio");
  const [hidden, setHidden] = useState<ReadonlySet<string>>(new Set());
  const [muted, setMuted] = useState<ReadonlyMap<string, string>>(new Map());
  const timers = useRef(new Map<string, () => void>());
  // Leaving the page within the five seconds means "yes, delete".
  useEffect(() => {
    const waiting = timers.current;
    return () => waiting.forEach((commit) => commit());
  }, []);

  const show = (id: string) => setHidden((before) => new Set([...before].filter((other) => other !== id)));
  const remove = (message: ChatMessage) => {
    setHidden((before) => new Set(before).add(message.id));
    const commit = () => {
      clearTimeout(timer);
      timers.current.delete(message.id);
      deleteMessage(showId, message.id).catch((error: unknown) => { show(message.id); toastError(error); });
    };
    const timer = setTimeout(commit, UNDO_MS);
    timers.current.set(message.id, commit);
    const dismiss = toast(t("chat.deleted"), {
      action: { label: t("undo"), run: () => { clearTimeout(timer); timers.current.delete(message.id); show(message.id); dismiss(); } },
    });
  };
  const mute = async (message: ChatMessage, seconds: number | null = MUTE_SECONDS): Promise<void> => {
    try {
      await muteViewer(showId, message.user_id, seconds);
      setMuted((before) => new Map(before).set(message.user_id, message.name));
      if (seconds === null) return void toast(t("chat.mutedForever", { name: message.name }));
      const dismiss = toast(t("chat.muted", { name: message.name }), {
        action: { label: t("chat.forever"), run: () => { dismiss(); void mute(message, null); } }, seconds: 6,
      });
    } catch (error) {
      toastError(error);
    }
  };
  const unmute = (userId: string) => {
    unmuteViewer(showId, userId).then(
      () => setMuted((before) => new Map([...before].filter(([id]) => id !== userId))),
      toastError,
    );
  };
  return { hidden, muted, remove, mute: (message: ChatMessage) => void mute(message), unmute };
}
