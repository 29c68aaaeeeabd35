/**
 * Reads one rendition's media playlists as they come and holds each against all that came before: what players rely on
 * (RFC 8216bis, docs/architecture.md) and a live playlist must never break. It finds and remembers; it does not fetch.
 */
import * as HLS from 'hls-parser';

/** A segment as it was first listed, and what was added to it since. */
export interface SeenSegment {
  readonly msn: number;
  /** Absolute; undefined while the segment is being made. */
  uri: string | undefined;
  /** Absolute URI of its initialization segment. */
  readonly map: string;
  /** Unix time, ms. */
  readonly programDateTimeMs: number;
  readonly discontinuity: boolean;
  /** EXTINF, s; undefined while the segment is being made. */
  duration: number | undefined;
  gap: boolean;
  readonly parts: { readonly uri: string; readonly duration: number; readonly independent: boolean }[];
  /** False when not all of its parts were seen: they left the playlist, or the viewer came later. */
  hasAllParts: boolean;
}

/** What a playlist had that the ones before it had not. */
export interface PlaylistNews {
  readonly segments: readonly SeenSegment[];
  readonly parts: readonly string[];
  readonly ended: boolean;
}

/** EXTINF is written with five decimals; parts are cut to the part target. */
const ROUNDING_S = 0.012;
/** PROGRAM-DATE-TIME is written in whole ms. */
const DATE_ROUNDING_MS = 2;

type ParsedSegment = HLS.types.Segment;

export class PlaylistJudge {
  readonly #base: string;
  readonly #mayJump: boolean;
  readonly segments = new Map<number, SeenSegment>();
  /** One line per broken rule. */
  readonly violations: string[] = [];
  /** Where the next blocking reload waits. */
  next: { readonly msn: number; readonly part: number } = { msn: 0, part: 0 };
  /** Absolute; undefined when nothing was announced. */
  preloadHint: string | undefined;
  targetDuration: number | undefined;
  partTarget: number | undefined;
  /** Playlists that could not be read. */
  refused = 0;
  #lastMsn: number | undefined;
  #firstMsn = 0;
  /** Discontinuity sequence number by MSN. */
  readonly #discontinuities = new Map<number, number>();

  /**
   * @param base absolute URL of the playlist
   * @param mayJump a playlist may begin above what came before, with a DISCONTINUITY: its server died
   */
  constructor(base: string, mayJump = false) {
    this.#base = base;
    this.#mayJump = mayJump;
  }

  get lastMsn(): number | undefined {
    return this.#lastMsn;
  }

  judge(text: string): PlaylistNews {
    let media: HLS.types.MediaPlaylist;
    try {
      media = parseStrictly(text);
    } catch (error) {
      this.refused += 1;
      this.#broken(`hls-parser refuses: ${String(error)}\n${text}`);
      return { segments: [], parts: [], ended: false };
    }
    this.#judgeHeader(media);
    const news = { segments: [] as SeenSegment[], parts: [] as string[], ended: media.endlist };
    // hls-parser does not carry EXT-X-MAP over to the segment that is being made.
    let map = '';
    for (const segment of media.segments) {
      map = segment.map?.uri ?? map;
      this.#judgeSegment(segment, map, news);
    }
    this.#judgeOrder();
    this.#lookAhead(media);
    return news;
  }

  #judgeHeader(media: HLS.types.MediaPlaylist): void {
    this.targetDuration ??= media.targetDuration;
    this.partTarget ??= media.partTargetDuration;
    if (media.targetDuration !== this.targetDuration) this.#broken(`TARGETDURATION became ${media.targetDuration}`);
    if (media.partTargetDuration !== this.partTarget) this.#broken(`PART-TARGET became ${media.partTargetDuration}`);
    const first = media.mediaSequenceBase ?? 0;
    const last = media.segments.at(-1)?.mediaSequenceNumber ?? first;
    const isHeir = this.#mayJump && media.segments[0]?.discontinuity === true;
    if (this.#lastMsn !== undefined && first > this.#lastMsn + 1 && !isHeir) {
      this.#broken(`MSN ${this.#lastMsn} is followed by a playlist that begins at ${first}`);
    }
    if (first < this.#firstMsn) this.#broken(`EXT-X-MEDIA-SEQUENCE fell from ${this.#firstMsn} to ${first}`);
    if (this.#lastMsn !== undefined && last < this.#lastMsn) this.#broken(`last MSN fell to ${last}`);
    this.#firstMsn = first;
  }

  #judgeSegment(parsed: ParsedSegment, map: string, news: { segments: SeenSegment[]; parts: string[] }): void {
    const msn = parsed.mediaSequenceNumber;
    // What is announced alone is no segment yet.
    const parts = parsed.parts.filter((part) => !part.hint);
    const isWhole = parsed.uri !== '';
    if (!isWhole && parts.length === 0) return;
    const seen = this.segments.get(msn) ?? this.#begin(parsed, map, isWhole);
    if (isWhole && seen.uri === undefined && parts.length === 0) seen.hasAllParts = false;
    if (isWhole) this.#judgeWhole(seen, parsed, news.segments);
    if (isWhole && parts.length === 0) return;
    const known = seen.parts.length;
    for (const [index, part] of parts.entries()) {
      const uri = this.#absolute(part.uri);
      if (index >= known) {
        seen.parts.push({ uri, duration: part.duration ?? 0, independent: part.independent === true });
        if (seen.hasAllParts) news.parts.push(uri);
        this.#judgePart(seen, part.duration ?? 0);
      } else if (seen.parts[index]?.uri !== uri) {
        this.#broken(`part ${index} of MSN ${msn} was ${seen.parts[index]?.uri} and became ${uri}`);
      }
    }
    if (parts.length < known) this.#broken(`MSN ${msn} had ${known} parts and has ${parts.length}`);
    if (isWhole) this.#judgeSum(seen);
  }

  #begin(parsed: ParsedSegment, map: string, isWhole: boolean): SeenSegment {
    const msn = parsed.mediaSequenceNumber;
    const seen: SeenSegment = {
      msn,
      uri: undefined,
      map: map === '' ? '' : this.#absolute(map),
      programDateTimeMs: parsed.programDateTime?.getTime() ?? Number.NaN,
      discontinuity: parsed.discontinuity === true,
      duration: undefined,
      gap: false,
      parts: [],
      // A whole segment lists all of its parts or none.
      hasAllParts: !isWhole || parsed.parts.length > 0,
    };
    if (seen.map === '' && parsed.gap !== true) this.#broken(`MSN ${msn} has no EXT-X-MAP`);
    if (Number.isNaN(seen.programDateTimeMs)) this.#broken(`MSN ${msn} has no PROGRAM-DATE-TIME`);
    this.segments.set(msn, seen);
    this.#lastMsn = Math.max(this.#lastMsn ?? msn, msn);
    return seen;
  }

  #judgeWhole(seen: SeenSegment, parsed: ParsedSegment, news: SeenSegment[]): void {
    const { msn } = seen;
    const uri = this.#absolute(parsed.uri);
    if (seen.uri === undefined) {
      seen.uri = uri;
      seen.duration = parsed.duration;
      seen.gap = parsed.gap === true;
      news.push(seen);
      if (Math.round(parsed.duration) > (this.targetDuration ?? 0))
        this.#broken(`MSN ${msn} lasts ${parsed.duration} s`);
    }
    if (seen.uri !== uri) this.#broken(`MSN ${msn} was ${seen.uri} and became ${uri}`);
    if (seen.duration !== parsed.duration) this.#broken(`EXTINF of MSN ${msn} became ${parsed.duration}`);
    if (seen.discontinuity !== (parsed.discontinuity === true)) this.#broken(`DISCONTINUITY of MSN ${msn} changed`);
    if (parsed.programDateTime?.getTime() !== seen.programDateTimeMs) this.#broken(`the date of MSN ${msn} changed`);
    const sequence = this.#discontinuities.get(msn) ?? parsed.discontinuitySequence;
    this.#discontinuities.set(msn, sequence);
    if (sequence !== parsed.discontinuitySequence) {
      this.#broken(`discontinuity sequence of MSN ${msn} was ${sequence} and became ${parsed.discontinuitySequence}`);
    }
  }

  #judgePart(seen: SeenSegment, duration: number): void {
    const limit = (this.partTarget ?? 0) + 1e-9;
    if (duration <= 0 || duration > limit) this.#broken(`a part of MSN ${seen.msn} lasts ${duration} s`);
  }

  #judgeSum(seen: SeenSegment): void {
    if (!seen.hasAllParts || seen.duration === undefined) return;
    const sum = seen.parts.reduce((total, part) => total + part.duration, 0);
    if (Math.abs(sum - seen.duration) > ROUNDING_S) {
      this.#broken(`the parts of MSN ${seen.msn} add up to ${sum}, its EXTINF is ${seen.duration}`);
    }
  }

  /** Over all segments seen: another epoch wherever a DISCONTINUITY stands and only there; dates that only rise. */
  #judgeOrder(): void {
    let before: SeenSegment | undefined;
    for (const segment of this.segments.values()) {
      if (before !== undefined && segment.msn === before.msn + 1) this.#judgePair(before, segment);
      before = segment;
    }
  }

  #judgePair(before: SeenSegment, segment: SeenSegment): void {
    const otherMap = before.map !== segment.map && before.map !== '' && segment.map !== '';
    // A gap has nothing to initialize; the DISCONTINUITY before and after it keeps step with the other renditions.
    const besideGap = segment.discontinuity && (segment.gap || before.gap);
    if (otherMap !== segment.discontinuity && !besideGap) {
      this.#broken(`MSN ${segment.msn}: DISCONTINUITY is ${segment.discontinuity}, another EXT-X-MAP is ${otherMap}`);
    }
    const endMs = before.programDateTimeMs + (before.duration ?? 0) * 1000;
    if (segment.programDateTimeMs < endMs - DATE_ROUNDING_MS) {
      this.#broken(`MSN ${segment.msn} begins ${endMs - segment.programDateTimeMs} ms before the one before it ends`);
    }
  }

  #lookAhead(media: HLS.types.MediaPlaylist): void {
    const last = media.segments.at(-1);
    const hint = last?.parts.find((part) => part.hint);
    this.preloadHint = hint === undefined ? undefined : this.#absolute(hint.uri);
    if (last === undefined) return;
    const whole = last.uri !== '';
    this.next = whole
      ? { msn: last.mediaSequenceNumber + 1, part: 0 }
      : { msn: last.mediaSequenceNumber, part: last.parts.filter((part) => !part.hint).length };
  }

  #absolute(uri: string): string {
    return new URL(uri, this.#base).href;
  }

  #broken(line: string): void {
    if (!this.violations.includes(line)) this.violations.push(line);
  }
}

/** @throws Error of hls-parser, in the parser's words */
export function parseStrictly(text: string): HLS.types.MediaPlaylist {
  HLS.setOptions({ strictMode: true });
  return HLS.parse(text) as HLS.types.MediaPlaylist;
}
