/** Why the browser did not give us a camera or microphone, in the words of the page's texts. */
export type CameraProblem = "denied" | "in-use" | "missing" | "insecure" | "unknown";

export function cameraProblem(error: unknown): CameraProblem {
  const name = error instanceof Error || error instanceof DOMException ? error.name : "";
  switch (name) {
    case "NotAllowedError":
    case "SecurityError":
      return "denied";
    case "NotReadableError":
    case "AbortError":
    case "TrackStartError":
      return "in-use";
    case "NotFoundError":
    case "DevicesNotFoundError":
    case "OverconstrainedError":
      return "missing";
    case "InsecureContext":
      return "insecure";
    default:
      return "unknown";
  }
}

/** Browsers hide the camera from pages that came over plain http from another machine. */
export function cameraAllowedHere(): boolean {
  return typeof navigator !== "undefined" && typeof navigator.mediaDevices?.getUserMedia === "function";
}
