/**
 * What is known of one epoch's segments: which are stored, which are gaps, which are still on their way. An index names
 * only those before which nothing is on its way, so that what readers have seen of a recording never changes.
 */
import type { Epoch, RenditionName, SessionId, StreamId } from '../../contracts/ids.ts';
import type { IndexEntry, RecordingIndex } from '../../contracts/recording.ts';
import type { UploadOutcome } from './upload.ts';

interface Row {
  entry: IndexEntry;
  settled: boolean;
}

type Init = RecordingIndex['inits'][string];

export class EpochLedger {
  readonly epoch: Epoch;
  readonly #session: { readonly streamId: StreamId; readonly sessionId: SessionId };
  readonly #inits: Record<string, Init> = {};
  /** Since the last sealed index, ascending. */
  readonly #rows = new Map<RenditionName, Row[]>();
  #serial = 0;
  #pending = 0;

  constructor(session: { readonly streamId: StreamId; readonly sessionId: SessionId }, epoch: Epoch) {
    this.#session = session;
    this.epoch = epoch;
  }

  /** Segments on their way. */
  get pending(): number {
    return this.#pending;
  }

  /** Segments wait for it: what names them may name it. */
  initKnown(rendition: RenditionName, init: Init): void {
    this.#inits[rendition] = init;
  }

  /** A segment is on its way: says what became of it when that is known. */
  expect(rendition: RenditionName, entry: IndexEntry): (outcome: UploadOutcome) => void {
    const row: Row = { entry, settled: false };
    this.#rowsOf(rendition).push(row);
    this.#pending += 1;
    return (outcome) => {
      // What a later run stores, that run indexes.
      if (row.settled || outcome === 'left') return;
      const { msn, duration, pdt } = row.entry;
      if (outcome === 'lost') row.entry = { msn, duration, pdt };
      row.settled = true;
      this.#pending -= 1;
    };
  }

  /** A segment that was never made. */
  gap(rendition: RenditionName, entry: Pick<IndexEntry, 'msn' | 'duration' | 'pdt'>): void {
    this.#rowsOf(rendition).push({ entry, settled: true });
  }

  /** What the next index would say; undefined when there is nothing new. */
  content(): RecordingIndex | undefined {
    const entries: Record<string, IndexEntry[]> = {};
    let count = 0;
    for (const [rendition, rows] of this.#rows) {
      const end = rows.findIndex((row) => !row.settled);
      const settled = end < 0 ? rows : rows.slice(0, end);
      if (settled.length === 0) continue;
      count += settled.length;
      entries[rendition] = settled.map((row) => row.entry);
    }
    if (count === 0) return undefined;
    return { v: 1, ...this.#session, epoch: this.epoch, serial: this.#serial, inits: { ...this.#inits }, entries };
  }

  /** That index stands for ever: the next one begins after it. */
  sealed(index: RecordingIndex): void {
    for (const [rendition, rows] of this.#rows) rows.splice(0, index.entries[rendition]?.length ?? 0);
    this.#serial = index.serial + 1;
  }

  #rowsOf(rendition: RenditionName): Row[] {
    const rows = this.#rows.get(rendition) ?? [];
    this.#rows.set(rendition, rows);
    return rows;
  }
}
