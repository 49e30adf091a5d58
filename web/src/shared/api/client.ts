import type { Problem } from "./types";

/** A refusal by the server (its problem) or a lost network (code "offline"). `message` is fit to be shown. */
export class ApiError extends Error {
  constructor(readonly problem: Problem) {
    super(problem.detail || problem.title);
    this.name = "ApiError";
  }
  get code(): string { return this.problem.code; }
  get status(): number { return this.problem.status; }
}

type Query = Record<string, string | number | boolean | null | undefined>;
export interface RequestOptions { query?: Query; signal?: AbortSignal; retry?: boolean; traceparent?: string; prefer?: string }

const RETRY_DELAYS_MS = [400, 1200, 3000];
const RETRY_STATUS = new Set([502, 503, 504]);

let language = "en";
/** The language in which the server words its problems; kept in step by i18n. */
export function setApiLanguage(next: string): void { language = next; }

function address(path: string, query?: Query): string {
  const search = new URLSearchParams();
  for (const [key, value] of Object.entries(query ?? {})) {
    if (value !== null && value !== undefined && value !== "") search.set(key, String(value));
  }
  const text = search.toString();
  return `/api${path}${text ? `?${text}` : ""}`;
}

function offline(): ApiError {
  const detail = language === "zh" ? "网络连接不上，请检查网络后重试。" : "No connection. Check your network and try again.";
  return new ApiError({ title: "Offline", status: 0, detail, code: "offline" });
}

async function problemOf(response: Response): Promise<ApiError> {
  const fallback = language === "zh" ? "服务器出了点问题，请稍后再试。" : "The server had a problem. Please try again in a moment.";
  const body = (await response.json().catch(() => null)) as Partial<Problem> | null;
  return new ApiError({
    title: body?.title ?? response.statusText,
    status: response.status,
    detail: body?.detail ?? fallback,
    code: body?.code ?? `http-${response.status}`,
  });
}

async function once<T>(method: string, url: string, body: BodyInit | undefined, json: boolean, { signal, traceparent, prefer }: RequestOptions): Promise<T> {
  const headers: Record<string, string> = { Accept: "application/json", "Accept-Language": language };
  if (json) headers["Content-Type"] = "application/json";
  if (traceparent) headers.traceparent = traceparent;
  if (prefer) headers.Prefer = prefer;
  let response: Response;
  try {
    response = await fetch(url, { method, headers, body, signal, credentials: "same-origin" });
  } catch (error) {
    if (signal?.aborted) throw error;
    throw offline();
  }
  if (!response.ok) throw await problemOf(response);
  if (response.status === 204) return undefined as T;
  const text = await response.text();
  return (text ? JSON.parse(text) : undefined) as T;
}

const sleep = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));
const passing = (error: unknown) => error instanceof ApiError && (error.status === 0 || RETRY_STATUS.has(error.status));

/** A write that carries its own id may be sent again: the server answers the second with the first's result. */
async function send<T>(method: string, path: string, body: unknown, options: RequestOptions = {}): Promise<T> {
  const form = body instanceof FormData;
  const payload = body === undefined ? undefined : form ? body : JSON.stringify(body);
  const carriesId = typeof body === "object" && body !== null && !form && "id" in body;
  const retry = options.retry ?? (carriesId || method === "PUT" || method === "DELETE");
  for (let attempt = 0; ; attempt++) {
    try {
      return await once<T>(method, address(path, options.query), payload, payload !== undefined && !form, options);
    } catch (error) {
      const delay = RETRY_DELAYS_MS[attempt];
      if (!retry || delay === undefined || !passing(error) || options.signal?.aborted) throw error;
      await sleep(delay * (0.5 + Math.random()));
    }
  }
}

/** Paths are given without the leading /api. */
export const api = {
  get: <T>(path: string, options: RequestOptions = {}) =>
    once<T>("GET", address(path, options.query), undefined, false, options),
  post: <T>(path: string, body?: unknown, options?: RequestOptions) => send<T>("POST", path, body, options),
  put: <T>(path: string, body?: unknown, options?: RequestOptions) => send<T>("PUT", path, body, options),
  patch: <T>(path: string, body?: unknown, options?: RequestOptions) => send<T>("PATCH", path, body, options),
  delete: <T = void>(path: string, options?: RequestOptions) => send<T>("DELETE", path, undefined, options),
};
