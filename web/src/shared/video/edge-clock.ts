/**
 * Stream time for playlists that carry none. A media server writes its playlist at the moment when a segment ends, so the
 * end of the playlist has the time of the file: not before `Last-Modified` (which counts whole seconds), not after its next
 * second, and not after the page has read it. Each reload narrows that down; what does not fit any more (the encoder was
 * away meanwhile) begins anew.
 */
export class EdgeClock {
  private earliest = -Infinity;
  private latest = Infinity;
  private seenEnd = -1;

  /** The playlist ends at `end` seconds of the player's time; read at `readAt`, last written at `writtenAt` (ms, or null). */
  saw(end: number, readAt: number, writtenAt: number | null): void {
    if (end === this.seenEnd) return;
    this.seenEnd = end;
    const origin = end * 1000;
    const told = writtenAt !== null && !Number.isNaN(writtenAt) && writtenAt <= readAt + SECOND_MS;
    const earliest = told ? writtenAt - origin : -Infinity;
    const latest = Math.min(readAt - origin, told ? writtenAt + SECOND_MS - origin : Infinity);
    this.earliest = Math.max(this.earliest, earliest);
    this.latest = Math.min(this.latest, latest);
    if (this.earliest > this.latest + FIT_MS) [this.earliest, this.latest] = [earliest, latest];
  }

  /** When the picture at `position` seconds was written, ms since the epoch; null before any playlist. */
  at(position: number): number | null {
    if (this.latest === Infinity) return null;
    const origin = this.earliest === -Infinity ? this.latest - UNKNOWN_MS : (this.earliest + this.latest) / 2;
    return origin + position * 1000;
  }
}

const SECOND_MS = 1000;
/** Two bounds may miss each other by what frames jitter. */
const FIT_MS = 150;
/** A playlist whose time of writing is not told is some of a reload old when it is read. */
const UNKNOWN_MS = 700;
