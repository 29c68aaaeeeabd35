/**
 * What players say about themselves by Common Media Client Data (CTA-5004, version 1 and 2; query and headers), turned
 * into measures per stream. A reply never waits for it: texts are put aside and decoded later, a bounded number at a
 * time, and of what is too much the least telling is dropped.
 */
import { decodeCmcd } from '@svta/cml-cmcd';
import type { StreamId } from '../../contracts/ids.ts';
import type { After } from './after.ts';
import { BoundedMap } from './bounded_map.ts';

/** Where measures go. Streams that are forgotten make room for others: their number is bounded. */
export interface ViewerMeasures {
  /** Time from a player's first request to its first one while it plays, s. */
  startup(streamId: StreamId, seconds: number): void;
  /** Media that the player has ahead, s. */
  buffer(streamId: StreamId, seconds: number): void;
  /** The player ran dry since its last request. */
  rebuffer(streamId: StreamId): void;
  /** How far behind live it plays, s. */
  latency(streamId: StreamId, seconds: number): void;
  forget(streamId: StreamId): void;
}

export interface ViewerReportsOptions {
  readonly measures: ViewerMeasures;
  readonly monotonicMs: () => number;
  readonly after: After;
}

export interface ViewerReportCounters {
  /** Reports that came with requests. */
  received: number;
  /** Of these, passed over because there were too many. */
  dropped: number;
  /** Of these, not readable. */
  malformed: number;
}

interface Report {
  readonly streamId: StreamId;
  readonly text: string;
  readonly atMs: number;
}

interface Playback {
  readonly sinceMs: number;
  hasStarted: boolean;
}

const HEADERS = ['cmcd-session', 'cmcd-request', 'cmcd-status', 'cmcd-object'] as const;
const PARAMETER = 'CMCD=';
/** Characters; longer ones are no player's. */
const MAX_TEXT = 4096;
/** Decoding one takes about 30 µs: at most 40 in 50 ms keep it under 3 % of a core. */
const BATCH = 40;
const BATCH_EVERY_MS = 50;
const MAX_WAITING = 1000;
/** From here on only reports of a start or a stall are kept. */
const CROWDED = 500;
const MAX_STREAMS = 500;
const MAX_PLAYBACKS = 20_000;
const LONGEST_STARTUP_S = 120;
const LONGEST_S = 3600;

/**
 * The CMCD text of a request, undecoded; undefined, at the price of four look-ups, when there is none.
 * @param target path and query, or the query alone, undecoded
 */
export function readViewerReport(headers: { get(name: string): string | null }, target: string): string | undefined {
  let text = '';
  for (const name of HEADERS) {
    const value = headers.get(name);
    if (value !== null && value !== '') text = text === '' ? value : `${text},${value}`;
  }
  if (text === '' && target.includes(PARAMETER)) {
    const pair = target
      .slice(target.indexOf('?') + 1)
      .split('&')
      .find((each) => each.startsWith(PARAMETER));
    text = pair === undefined ? '' : pair.slice(PARAMETER.length);
  }
  return text === '' ? undefined : text;
}

export class ViewerReports {
  readonly counters: ViewerReportCounters = { received: 0, dropped: 0, malformed: 0 };
  readonly #options: ViewerReportsOptions;
  readonly #waiting: Report[] = [];
  readonly #playbacks = new BoundedMap<string, Playback>(MAX_PLAYBACKS);
  readonly #streams = new Set<StreamId>();
  #isScheduled = false;

  constructor(options: ViewerReportsOptions) {
    this.#options = options;
  }

  /**
   * Takes what a request says, for later.
   * @param streamId of a stream that exists
   * @param text of `readViewerReport`
   */
  take(streamId: StreamId, text: string): void {
    this.counters.received += 1;
    const isTelling = this.#waiting.length < CROWDED || /(?:^|[,\s]|%2C)(?:su|bs)(?:$|[,\s]|%2C)/i.test(text);
    if (text.length > MAX_TEXT || this.#waiting.length >= MAX_WAITING || !isTelling) {
      this.counters.dropped += 1;
      return;
    }
    this.#waiting.push({ streamId, text, atMs: this.#options.monotonicMs() });
    this.#schedule();
  }

  #schedule(): void {
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    this.#options.after(BATCH_EVERY_MS, () => {
      this.#isScheduled = false;
      for (const report of this.#waiting.splice(0, BATCH)) this.#measure(report);
      if (this.#waiting.length > 0) this.#schedule();
    });
  }

  #measure({ streamId, text, atMs }: Report): void {
    const data = decode(text);
    if (data === undefined) {
      this.counters.malformed += 1;
      return;
    }
    this.#remember(streamId);
    const { measures } = this.#options;
    const buffer = seconds(data.bl, LONGEST_S);
    // The buffer of a player that is about to start says nothing about its viewer.
    if (buffer !== undefined && data.su !== true) measures.buffer(streamId, buffer);
    const latency = seconds(data.ltc ?? data['headwater-ltc'], LONGEST_S);
    if (latency !== undefined) measures.latency(streamId, latency);
    if (data.bs === true) measures.rebuffer(streamId);
    if (typeof data.sid === 'string' && data.sid.length <= 64) this.#follow(streamId, data.sid, data, atMs);
  }

  /** Version 2 says how long the start took (`msd`); of version 1 it is the time from request to request. */
  #follow(streamId: StreamId, sid: string, data: Readonly<Record<string, unknown>>, atMs: number): void {
    const key = `${streamId} ${sid}`;
    const isStarting = data.su === true;
    const known = this.#playbacks.get(key);
    const playback = known ?? { sinceMs: atMs, hasStarted: !isStarting && data.msd === undefined };
    if (known === undefined) this.#playbacks.set(key, playback);
    if (playback.hasStarted) return;
    const told = seconds(data.msd, LONGEST_STARTUP_S);
    // A playlist is reloaded whether the player plays or not.
    if (told === undefined && (isStarting || data.ot === 'm')) return;
    playback.hasStarted = true;
    const took = told ?? (atMs - playback.sinceMs) / 1000;
    if (took <= LONGEST_STARTUP_S) this.#options.measures.startup(streamId, took);
  }

  #remember(streamId: StreamId): void {
    this.#streams.delete(streamId);
    this.#streams.add(streamId);
    const [oldest] = this.#streams;
    if (this.#streams.size <= MAX_STREAMS || oldest === undefined) return;
    this.#streams.delete(oldest);
    this.#options.measures.forget(oldest);
  }
}

/** Both versions as one: the names that we read mean the same in both. */
function decode(text: string): Readonly<Record<string, unknown>> | undefined {
  try {
    return decodeCmcd(/%[0-9a-f]{2}/i.test(text) ? decodeURIComponent(text) : text) as Readonly<
      Record<string, unknown>
    >;
  } catch {
    // Anybody may send anything; it is counted.
    return undefined;
  }
}

/** Seconds of a number of milliseconds, or of the first of a list of them (version 2). */
function seconds(value: unknown, most: number): number | undefined {
  const first: unknown = Array.isArray(value) ? value[0] : value;
  const number = typeof first === 'object' && first !== null && 'value' in first ? first.value : first;
  if (typeof number !== 'number' || !(number >= 0) || number > most * 1000) return undefined;
  return number / 1000;
}
