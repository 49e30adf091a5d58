const PREFIX = "livestall.reopened.";

/**
 * The page's policy names the video servers that the market knew when the page was opened, and the browser holds it until
 * the page is opened anew. So that is done, once for each server, when one that joined later carries the show.
 */
export function reopenWhenForbidden(address: string, signal: AbortSignal): void {
  const server = new URL(address, location.href).origin;
  document.addEventListener("securitypolicyviolation", ({ blockedURI }) => {
    if (blockedURI !== server && !blockedURI.startsWith(`${server}/`)) return;
    if (sessionStorage.getItem(PREFIX + server)) return;
    sessionStorage.setItem(PREFIX + server, "1");
    location.reload();
  }, { signal });
}
