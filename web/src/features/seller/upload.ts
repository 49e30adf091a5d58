import { ApiError } from "@/shared/api/client";
import type { Problem } from "@/shared/api/types";
import { currentLanguage } from "@/shared/i18n";

/** Sends one file as multipart and says how far it is (0–1); fetch cannot. Refusals come as ApiError. */
export function upload<Answer>(address: string, file: File, onProgress: (share: number) => void, signal?: AbortSignal): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    request.open("POST", address);
    request.setRequestHeader("Accept-Language", currentLanguage());
    request.responseType = "json";
    request.upload.onprogress = (event) => { if (event.lengthComputable) onProgress(event.loaded / event.total); };
    request.onload = () => {
      if (request.status >= 200 && request.status < 300) resolve(request.response as Answer);
      else reject(refusal(request.status, request.response as Partial<Problem> | null));
    };
    request.onerror = () => reject(refusal(0, null));
    signal?.addEventListener("abort", () => request.abort(), { once: true });
    request.onabort = () => reject(new DOMException("stopped", "AbortError"));
    const body = new FormData();
    body.append("file", file);
    request.send(body);
  });
}

function refusal(status: number, body: Partial<Problem> | null): ApiError {
  const zh = currentLanguage() === "zh";
  const lost = zh ? "上传中断，请检查网络后重试。" : "The upload broke off. Check your network and try again.";
  const failed = zh ? "服务器没有接受这个文件。" : "The server did not take this file.";
  return new ApiError({ title: body?.title ?? "Upload", status, detail: body?.detail ?? (status === 0 ? lost : failed), code: body?.code ?? `http-${status}` });
}
