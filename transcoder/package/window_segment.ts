/**
 * A segment in the live window, and the row of them that one rendition has: those in its playlist and those that left
 * it but are still served.
 */
import type { Epoch, RenditionName } from '../../contracts/ids.ts';
import type { PlaylistPart, PlaylistSegment } from './media_playlist.ts';

export interface WindowPart extends PlaylistPart {
  /** One `moof` and `mdat`. */
  readonly data: Buffer;
}

/** As published; `complete` ones never change again. */
export interface WindowSegment extends PlaylistSegment {
  /** A standing picture while the publisher is away. */
  readonly hold: boolean;
  readonly parts: readonly WindowPart[];
  /** Sum over its parts. */
  readonly bytes: number;
}

type OpenSegment = { -readonly [Key in keyof WindowSegment]: WindowSegment[Key] } & { parts: WindowPart[] };

/** One rendition's segments: ascending MSNs without holes; only the last may be incomplete. */
export class RenditionTrack {
  readonly name: RenditionName;
  /** Initialization segments by epoch. */
  readonly inits = new Map<Epoch, Buffer>();
  readonly #segments: OpenSegment[] = [];
  /** Index of the first segment in the playlist. */
  #listed = 0;
  /** 90 kHz ticks of complete segments in the playlist, and of those that left it. */
  #listedTicks = 0;
  #retainedTicks = 0;
  #discontinuitySequence: number;
  #bytes = 0;

  constructor(name: RenditionName, discontinuitySequence: number) {
    this.name = name;
    this.#discontinuitySequence = discontinuitySequence;
  }

  /** EXT-X-DISCONTINUITY-SEQUENCE: rises when a DISCONTINUITY leaves the playlist (RFC 8216bis section 6.2.2). */
  get discontinuitySequence(): number {
    return this.#discontinuitySequence;
  }

  /** Bytes held: of the playlist, and of what left it. */
  get bytes(): number {
    return this.#bytes;
  }

  get last(): WindowSegment | undefined {
    return this.#segments.at(-1);
  }

  /** MSN of the newest whole segment. */
  get lastCompleteMsn(): number | undefined {
    const last = this.#segments.at(-1);
    if (last === undefined || last.complete) return last?.msn;
    return this.#segments.length > 1 ? last.msn - 1 : undefined;
  }

  /** Those in the playlist, oldest first. */
  listed(): readonly WindowSegment[] {
    return this.#segments.slice(this.#listed);
  }

  find(msn: number): WindowSegment | undefined {
    const first = this.#segments[0];
    return first === undefined ? undefined : this.#segments[msn - first.msn];
  }

  begin(segment: Pick<WindowSegment, 'epoch' | 'msn' | 'programDateTimeMs' | 'discontinuity' | 'hold'>): void {
    this.#segments.push({ ...segment, duration: 0, gap: false, complete: false, parts: [], bytes: 0 });
  }

  append(part: WindowPart): void {
    const open = this.#open();
    if (open === undefined) return;
    open.parts.push(part);
    open.duration += part.duration;
    open.bytes += part.data.length;
    this.#bytes += part.data.length;
  }

  /** Completes the open segment; `gap` makes it one that has no media. */
  complete(gap?: { readonly duration: number }): WindowSegment | undefined {
    const open = this.#open();
    if (open === undefined) return undefined;
    open.complete = true;
    if (gap !== undefined) {
      open.gap = true;
      open.duration = gap.duration;
    }
    this.#listedTicks += open.duration;
    return open;
  }

  /**
   * Takes segments off the playlist while `windowTicks` remain, and lets go of those that have been off it for
   * `retainTicks` of media (RFC 8216bis section 6.2.2), or that exceed `maxBytes`.
   */
  trim(windowTicks: number, retainTicks: number, maxBytes: number): void {
    let oldest = this.#segments[this.#listed];
    while (oldest?.complete === true && this.#listedTicks - oldest.duration >= windowTicks) {
      this.#listedTicks -= oldest.duration;
      this.#retainedTicks += oldest.duration;
      if (oldest.discontinuity) this.#discontinuitySequence += 1;
      this.#listed += 1;
      oldest = this.#segments[this.#listed];
    }
    while (this.#listed > 0 && (this.#retainedTicks > retainTicks || this.#bytes > maxBytes)) this.#dropOldest();
  }

  #dropOldest(): void {
    const dropped = this.#segments.shift();
    if (dropped === undefined) return;
    this.#listed -= 1;
    this.#retainedTicks -= dropped.duration;
    this.#bytes -= dropped.bytes;
    const oldestEpoch = this.#segments[0]?.epoch;
    if (oldestEpoch === undefined || oldestEpoch === dropped.epoch) return;
    for (const epoch of this.inits.keys()) if (epoch < oldestEpoch) this.inits.delete(epoch);
  }

  #open(): OpenSegment | undefined {
    const last = this.#segments.at(-1);
    return last?.complete === false ? last : undefined;
  }
}
