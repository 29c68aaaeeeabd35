/**
 * A viewer that trusts nothing: follows one rendition by blocking reloads, fetches every part and every segment once,
 * and keeps a record of each rule that was broken, of the longest time without anything new, and of the media for a
 * decoder. It never gives up by itself: what a player would die of is in its record.
 */
import { decodeMedia } from './epoch_decoder.ts';
import { PlaylistJudge } from './playlist_judge.ts';
import type { SeenSegment } from './playlist_judge.ts';

export interface CheckingViewerOptions {
  /** Such as `http://127.0.0.1:8080`. */
  readonly origin: string;
  readonly streamId: string;
  readonly rendition: string;
  /** Keeps no media: for long runs that do not decode. */
  readonly forgetMedia?: boolean;
  /** Media sequence numbers may leap ahead once per new epoch: the stream's server died and nobody knows its last one. */
  readonly mayJump?: boolean;
}

/** One encoder run as the viewer saw it. */
export interface SeenEpoch {
  /** URI of its initialization segment. */
  readonly map: string;
  readonly segments: readonly SeenSegment[];
}

interface Waiter {
  readonly look: () => void;
  readonly fail: (error: Error) => void;
}

/** Before the first playlist and after an error, ms. */
const RETRY_MS = 200;
/** A blocking reload is answered within three target durations (RFC 8216bis section 6.2.5.2); this is far beyond. */
const PATIENCE_MS = 40_000;

export class CheckingViewer {
  readonly #url: string;
  readonly #judge: PlaylistJudge;
  readonly #keepsMedia: boolean;
  readonly #stopping = new AbortController();
  readonly #violations: string[] = [];
  readonly #media = new Map<string, Promise<Buffer | undefined>>();
  readonly #fetches = new Set<Promise<unknown>>();
  readonly #waiters = new Set<Waiter>();
  readonly #running: Promise<void>;
  #playlists = 0;
  #ended = false;
  #lastNewsAtMs: number | undefined;
  #lastSegmentAtMs: number | undefined;
  #longestQuietMs = 0;
  #longestWithoutSegmentMs = 0;

  private constructor({ origin, streamId, rendition, forgetMedia = false, mayJump = false }: CheckingViewerOptions) {
    this.#url = `${origin}/${streamId}/${rendition}/index.m3u8`;
    this.#judge = new PlaylistJudge(this.#url, mayJump);
    this.#keepsMedia = !forgetMedia;
    this.#running = this.#run();
  }

  /** Begins to watch; the stream may not be there yet. Always `stop` it. */
  static follow(options: CheckingViewerOptions): CheckingViewer {
    return new CheckingViewer(options);
  }

  /** By MSN, ascending, from the first that was listed when the viewer came. */
  get segments(): readonly SeenSegment[] {
    return [...this.#judge.segments.values()];
  }

  /** Those with a URI of their own. */
  get wholeSegments(): readonly SeenSegment[] {
    return this.segments.filter((segment) => segment.uri !== undefined);
  }

  /** In the order in which they were seen. */
  get epochs(): readonly SeenEpoch[] {
    const epochs: { map: string; segments: SeenSegment[] }[] = [];
    for (const segment of this.segments) {
      if (segment.map === '') continue;
      const last = epochs.at(-1);
      if (last?.map === segment.map) last.segments.push(segment);
      else epochs.push({ map: segment.map, segments: [segment] });
    }
    return epochs;
  }

  get lastMsn(): number | undefined {
    return this.#judge.lastMsn;
  }

  get targetDuration(): number | undefined {
    return this.#judge.targetDuration;
  }

  get playlists(): number {
    return this.#playlists;
  }

  /** ENDLIST was seen; nothing more is asked for. */
  get ended(): boolean {
    return this.#ended;
  }

  /** Longest time without a new part or segment so far, the running one included, ms. */
  get longestQuietMs(): number {
    return Math.max(this.#longestQuietMs, this.#since(this.#lastNewsAtMs));
  }

  /** Longest time in which no segment was begun or finished, ms: Apple's players give up after 1.5 target durations. */
  get longestWithoutSegmentMs(): number {
    return Math.max(this.#longestWithoutSegmentMs, this.#since(this.#lastSegmentAtMs));
  }

  /** Times are counted anew from now on. */
  resetClocks(): void {
    this.#longestQuietMs = 0;
    this.#longestWithoutSegmentMs = 0;
  }

  /** One line per broken rule so far. */
  get violations(): readonly string[] {
    return [...this.#judge.violations, ...this.#violations];
  }

  /** Resolves as soon as a playlist makes it true. @throws Error that says what did not come, and what was broken */
  waitFor(what: string, withinMs: number, isTrue: (viewer: CheckingViewer) => boolean): Promise<void> {
    if (isTrue(this)) return Promise.resolve();
    return new Promise((resolve, reject) => {
      const settle = (): void => {
        clearTimeout(timer);
        this.#waiters.delete(waiter);
      };
      const waiter: Waiter = {
        look: () => {
          if (!isTrue(this)) return;
          settle();
          resolve();
        },
        fail: (error) => {
          settle();
          reject(error);
        },
      };
      const timer = setTimeout(() => waiter.fail(new Error(this.#inVain(what, withinMs))), withinMs);
      this.#waiters.add(waiter);
    });
  }

  /** Resolves with the next segments that are begun after now. */
  waitForSegments(count: number, withinMs: number): Promise<void> {
    const from = this.lastMsn ?? -1;
    return this.waitFor(`${count} more segments after MSN ${from}`, withinMs, ({ lastMsn }) => {
      return lastMsn !== undefined && (from < 0 ? this.segments.length >= count : lastMsn >= from + count);
    });
  }

  /** Stops watching; what is being fetched is finished. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.#running;
    await Promise.all(this.#fetches);
    for (const waiter of this.#waiters) waiter.fail(new Error('the viewer was stopped'));
  }

  /** Bytes of a segment that was fetched. */
  async mediaOf(segment: SeenSegment): Promise<Buffer | undefined> {
    return segment.uri === undefined ? undefined : this.#media.get(segment.uri);
  }

  /**
   * Stops, and decodes what was fetched, epoch by epoch.
   * @returns one line per broken rule and per complaint of the decoder; empty when all is well
   */
  async verdict(): Promise<readonly string[]> {
    await this.stop();
    const complaints: string[] = [...this.violations];
    if (this.#playlists === 0) complaints.push('no playlist was ever seen');
    for (const epoch of this.epochs) {
      const media = await this.mediaOfEpoch(epoch);
      if (media.length < 2) continue;
      const decoded = await decodeMedia(media);
      if (decoded.complaints !== '') complaints.push(`${epoch.map} does not decode: ${decoded.complaints}`);
      for (const { kind, times } of decoded.tracks) {
        const back = times.findIndex((time, index) => index > 0 && time <= (times[index - 1] ?? 0));
        if (back >= 0) complaints.push(`${epoch.map}: ${kind} goes from ${times[back - 1]} s to ${times[back]} s`);
      }
    }
    return complaints;
  }

  /** The initialization segment and the segments of an epoch that are whole and no gaps. */
  async mediaOfEpoch(epoch: SeenEpoch): Promise<readonly Buffer[]> {
    const uris = epoch.segments.flatMap(({ uri, gap }) => (uri === undefined || gap ? [] : [uri]));
    const media = await Promise.all([epoch.map, ...uris].flatMap((uri) => this.#media.get(uri) ?? []));
    return media.filter((data) => data !== undefined);
  }

  async #run(): Promise<void> {
    while (!this.#stopping.signal.aborted && !this.#ended) {
      try {
        await this.#reload();
      } catch (error) {
        if (this.#stopping.signal.aborted) return;
        this.#broken(`a media playlist could not be fetched: ${describe(error)}`);
        await this.#pause();
      }
    }
  }

  async #reload(): Promise<void> {
    const { msn, part } = this.#judge.next;
    const isFirst = this.#playlists === 0;
    const query = isFirst ? '' : `?_HLS_msn=${msn}&_HLS_part=${part}`;
    const reply = await fetch(`${this.#url}${query}`, {
      signal: AbortSignal.any([this.#stopping.signal, AbortSignal.timeout(PATIENCE_MS)]),
    });
    const text = await reply.text();
    if (reply.status === 200) {
      this.#playlists += 1;
      const refusedBefore = this.#judge.refused;
      this.#take(text);
      // What cannot be read must not be asked for as fast as it comes.
      if (this.#judge.refused > refusedBefore) await this.#pause();
      return;
    }
    // Before the first one there may be nothing to see yet.
    if (!isFirst) this.#broken(`a media playlist was answered ${reply.status} at ${query}: ${text}`);
    await this.#pause();
  }

  #take(text: string): void {
    const lastBefore = this.lastMsn;
    const { segments, parts, ended } = this.#judge.judge(text);
    this.#ended = ended;
    const now = performance.now();
    if (segments.length > 0 || parts.length > 0) {
      this.#longestQuietMs = this.longestQuietMs;
      this.#lastNewsAtMs = now;
    }
    if (segments.length > 0 || this.lastMsn !== lastBefore) {
      this.#longestWithoutSegmentMs = this.longestWithoutSegmentMs;
      this.#lastSegmentAtMs = now;
    }
    for (const uri of parts) void this.#fetchOnce(uri);
    for (const segment of segments) this.#fetchSegment(segment);
    for (const waiter of this.#waiters) waiter.look();
  }

  #fetchSegment(segment: SeenSegment): void {
    if (segment.gap || segment.uri === undefined) return;
    void this.#fetchOnce(segment.map);
    const whole = this.#fetchOnce(segment.uri);
    const parts = segment.hasAllParts ? segment.parts.map((part) => this.#fetchOnce(part.uri)) : [];
    this.#track(this.#compare(segment, whole, parts));
  }

  /** A segment is its parts, one after the other. */
  async #compare(
    segment: SeenSegment,
    whole: Promise<Buffer | undefined>,
    parts: readonly Promise<Buffer | undefined>[],
  ): Promise<void> {
    const [bytes, ...pieces] = await Promise.all([whole, ...parts]);
    for (const part of segment.parts) this.#media.delete(part.uri);
    if (!this.#keepsMedia && segment.uri !== undefined) this.#media.delete(segment.uri);
    if (bytes === undefined || pieces.length === 0) return;
    const joined = Buffer.concat(pieces.filter((piece) => piece !== undefined));
    if (!pieces.includes(undefined) && !joined.equals(bytes))
      this.#broken(`MSN ${segment.msn} is not what its parts are`);
  }

  #fetchOnce(uri: string): Promise<Buffer | undefined> {
    const before = this.#media.get(uri);
    if (before !== undefined) return before;
    const fetching = this.#fetch(uri);
    this.#media.set(uri, fetching);
    this.#track(fetching);
    return fetching;
  }

  async #fetch(uri: string): Promise<Buffer | undefined> {
    try {
      const reply = await fetch(uri, { signal: AbortSignal.timeout(PATIENCE_MS) });
      const bytes = Buffer.from(await reply.arrayBuffer());
      if (reply.status === 200 && bytes.length > 0) return bytes;
      this.#broken(`${uri} was answered ${reply.status} with ${bytes.length} bytes`);
    } catch (error) {
      this.#broken(`${uri} could not be fetched: ${describe(error)}`);
    }
    return undefined;
  }

  #track(work: Promise<unknown>): void {
    this.#fetches.add(work);
    void work.finally(() => this.#fetches.delete(work));
  }

  #since(thenMs: number | undefined): number {
    return thenMs === undefined || this.#ended ? 0 : performance.now() - thenMs;
  }

  #pause(): Promise<void> {
    return new Promise((resolve) => setTimeout(resolve, RETRY_MS));
  }

  #inVain(what: string, withinMs: number): string {
    const broken = this.violations.length === 0 ? 'no rule was broken' : this.violations.join('\n');
    return `waited ${withinMs} ms in vain: ${what}; last MSN ${this.lastMsn}, ${this.#playlists} playlists, ${broken}`;
  }

  #broken(line: string): void {
    this.#violations.push(line);
  }
}

function describe(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return error.cause instanceof Error ? `${error.message} (${error.cause.message})` : error.message;
}
