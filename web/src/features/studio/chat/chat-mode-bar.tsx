import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { useTranslation } from "react-i18next";

import type { ChatMode } from "@/shared/api/types";
import { Button, Chip, Sheet, TextArea, toastError } from "@/shared/ui";
import { chatModeQuery, setChatMode } from "../api";
import styles from "./chat.module.css";

const SLOW_SECONDS = [0, 3, 5, 10, 30, 60];
const WORDS_MAX = 200;

interface Props {
  showId: string;
  mode: ChatMode | undefined;
  muted: ReadonlyMap<string, string>;
  onUnmute: (userId: string) => void;
}

/** Slow mode, mute all, banned words: the valves of the chat. */
export function ChatModeBar({ showId, mode, muted, onUnmute }: Props) {
  const { t } = useTranslation("studio");
  const client = useQueryClient();
  const full = useQuery(chatModeQuery(showId));
  const [words, setWords] = useState(false);
  const save = useMutation({
    mutationFn: (next: ChatMode) => setChatMode(showId, next),
    onSuccess: (saved) => client.setQueryData(["studio", "chat-mode", showId], saved),
    onError: toastError,
  });
  // The banned words are told to the staff only, over HTTP; the two valves move with the room.
  const current: ChatMode = { slow_seconds: 0, muted_all: false, banned_words: [], ...full.data, ...(mode ? { slow_seconds: mode.slow_seconds, muted_all: mode.muted_all } : {}) };
  const change = (part: Partial<ChatMode>) => save.mutate({ ...current, ...part });
  return (
    <div className={styles.valves}>
      <label className={styles.slow}>
        <span>{t("chat.slow")}</span>
        <select value={current.slow_seconds} disabled={!full.data} onChange={(event) => change({ slow_seconds: Number(event.target.value) })}>
          {[...new Set([...SLOW_SECONDS, current.slow_seconds])].sort((a, b) => a - b).map((seconds) => (
            <option key={seconds} value={seconds}>{seconds === 0 ? t("chat.slowOff") : t("chat.slowOf", { seconds })}</option>
          ))}
        </select>
      </label>
      <Chip className={styles.valve} chosen={current.muted_all} disabled={!full.data} onClick={() => change({ muted_all: !current.muted_all })}>{t("chat.muteAll")}</Chip>
      <Chip className={styles.valve} onClick={() => setWords(true)} disabled={!full.data}>{t("chat.words")}</Chip>
      <Sheet open={words} onClose={() => setWords(false)} title={t("chat.words")}>
        <Words words={current.banned_words} busy={save.isPending} muted={muted} onUnmute={onUnmute}
          onSave={(banned_words) => save.mutate({ ...current, banned_words }, { onSuccess: () => setWords(false) })} />
      </Sheet>
    </div>
  );
}

interface WordsProps { words: readonly string[]; busy: boolean; onSave: (words: string[]) => void; muted: ReadonlyMap<string, string>; onUnmute: (userId: string) => void }

function Words({ words, busy, onSave, muted, onUnmute }: WordsProps) {
  const { t } = useTranslation(["studio", "common"]);
  const [text, setText] = useState(words.join("\n"));
  const list = [...new Set(text.split(/[\n,，]/).map((word) => word.trim()).filter(Boolean))].slice(0, WORDS_MAX);
  return (
    <div className={styles.words}>
      <TextArea label={t("chat.wordsLabel")} hint={t("chat.wordsHint")} value={text} onChange={(event) => setText(event.target.value)} rows={6} />
      <Button tone="ink" wide busy={busy} onClick={() => onSave(list)}>{t("common:save")}</Button>
      {muted.size > 0 && (
        <div>
          <h3>{t("chat.mutedPeople")}</h3>
          <ul>
            {[...muted].map(([id, name]) => (
              <li key={id} className={styles.mutedRow}><span>{name}</span><Button size="small" onClick={() => onUnmute(id)}>{t("chat.unmute")}</Button></li>
            ))}
          </ul>
        </div>
      )}
    </div>
  );
}
