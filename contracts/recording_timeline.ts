/**
 * What was recorded of a session as one row per media sequence number, the same rows for every rendition: made from the
 * indexes of all epochs, whoever wrote them and in whatever order. Playlists of a recording are rendered from it.
 */
import type { Epoch, RenditionName, SessionId, StreamId } from './ids.ts';
import type { IndexEntry, RecordingIndex, RecordingSession } from './recording.ts';

export interface TimelineRow {
  /** The number that the segment had live; rows rise by one (but see `MAX_HOLE`). */
  readonly msn: number;
  /** Whose path its segments have. A number between two epochs that neither has belongs to the earlier one. */
  readonly epoch: Epoch;
  /** ms since 1970. */
  readonly pdt: number;
  /** Seconds; that of the first rendition that has it. Of a row that nobody has: its share of the time that is missing. */
  readonly duration: number;
  /** By index of the rendition: the stored segment, or undefined for EXT-X-GAP. */
  readonly stored: readonly (IndexEntry | undefined)[];
}

export interface RecordingTimeline {
  readonly streamId: StreamId;
  readonly sessionId: SessionId;
  /** EXT-X-TARGETDURATION, whole seconds: the session's, or more if a segment was longer. */
  readonly targetDuration: number;
  /** Of the recorded renditions, in the shape's order. */
  readonly renditions: readonly RenditionName[];
  readonly rows: readonly TimelineRow[];
  /** Seconds, gaps included. */
  readonly duration: number;
}

export interface TimelineOptions {
  /**
   * True once nothing can come any more: every number up to the last one is a row, what is missing is a gap. While live
   * a row stands only when its fate is known in all renditions, so that rows are appended and never changed.
   */
  readonly final: boolean;
  /**
   * While live: epochs before the newest that are known to grow no more. One that is not named here is waited for,
   * unless the next epoch goes on right behind it.
   */
  readonly settled?: ReadonlySet<Epoch>;
}

/** Numbers that may be missing between two epochs: an hour's reconnect window needs 3,602. Beyond, one row stands for all. */
export const MAX_HOLE = 10_000;
/** A row that stands for no time at all would be one of 0 s, s. */
const SHORTEST_GAP = 0.1;

interface EpochEntries {
  readonly epoch: Epoch;
  /** By index of the rendition, then by MSN. */
  readonly byRendition: readonly Map<number, IndexEntry>[];
  readonly initialized: readonly boolean[];
  first: number;
  last: number;
}

/**
 * @param indexes sealed ones and tails of all epochs, in any order; a tail may repeat what was sealed since
 */
export function recordingTimeline(
  session: RecordingSession,
  indexes: readonly RecordingIndex[],
  options: TimelineOptions,
): RecordingTimeline {
  const renditions = recordedRenditions(session);
  const epochs = gatherEpochs(renditions, indexes);
  const rows: TimelineRow[] = [];
  for (const [position, entries] of epochs.entries()) {
    const next = epochs[position + 1];
    const mayGrow = !options.final && (next === undefined || options.settled?.has(entries.epoch) !== true);
    appendEpoch(rows, entries, mayGrow ? knownEnd(entries) : entries.last, session.shape.targetDuration);
    const listed = rows.at(-1)?.msn ?? entries.first - 1;
    if (next === undefined || (mayGrow && listed + 1 < next.first)) break;
    appendHole(rows, entries, next, session.shape.targetDuration);
  }
  return {
    streamId: session.streamId,
    sessionId: session.sessionId,
    targetDuration: rows.reduce(
      (longest, row) => Math.max(longest, Math.round(row.duration)),
      session.shape.targetDuration,
    ),
    renditions,
    rows,
    duration: rows.reduce((sum, row) => sum + row.duration, 0),
  };
}

/** Names of the recorded renditions in the shape's order, which is that of the multivariant playlist. */
export function recordedRenditions(session: RecordingSession): readonly RenditionName[] {
  return session.shape.renditions.map(({ name }) => name).filter((name) => session.renditions.includes(name));
}

/** Ascending; an epoch ends where the next one begins, whatever an owner that was replaced wrote after that. */
function gatherEpochs(renditions: readonly RenditionName[], indexes: readonly RecordingIndex[]): EpochEntries[] {
  const byEpoch = new Map<Epoch, RecordingIndex[]>();
  for (const index of indexes) {
    const others = byEpoch.get(index.epoch);
    if (others === undefined) byEpoch.set(index.epoch, [index]);
    else others.push(index);
  }
  const epochs = [...byEpoch]
    .toSorted(([a], [b]) => a - b)
    .map(([epoch, own]) => gatherEpoch(epoch, renditions, own))
    .filter((entries) => entries.first <= entries.last);
  let first = Number.POSITIVE_INFINITY;
  const kept: EpochEntries[] = [];
  for (const entries of epochs.toReversed()) {
    entries.last = Math.min(entries.last, first - 1);
    if (entries.first > entries.last) continue;
    first = entries.first;
    kept.unshift(entries);
  }
  return kept;
}

function gatherEpoch(
  epoch: Epoch,
  renditions: readonly RenditionName[],
  indexes: readonly RecordingIndex[],
): EpochEntries {
  let first = Number.POSITIVE_INFINITY;
  let last = Number.NEGATIVE_INFINITY;
  const byRendition = renditions.map((rendition) => {
    const entries = new Map<number, IndexEntry>();
    for (const index of indexes) {
      for (const entry of index.entries[rendition] ?? []) {
        // Of a gap and a segment the segment stands: it was found later.
        if (entry.size !== undefined || !entries.has(entry.msn)) entries.set(entry.msn, entry);
        first = Math.min(first, entry.msn);
        last = Math.max(last, entry.msn);
      }
    }
    return entries;
  });
  const initialized = renditions.map((rendition) => indexes.some((index) => index.inits[rendition] !== undefined));
  return { epoch, byRendition, initialized, first, last };
}

/** The last number up to which every rendition has said what became of each. */
function knownEnd({ byRendition, first, last }: EpochEntries): number {
  for (let msn = first; msn <= last; msn += 1) {
    if (!byRendition.every((entries) => entries.has(msn))) return msn - 1;
  }
  return last;
}

function appendEpoch(rows: TimelineRow[], entries: EpochEntries, end: number, targetDuration: number): void {
  const { epoch, byRendition, initialized, first } = entries;
  for (let msn = first; msn <= end; msn += 1) {
    let known: IndexEntry | undefined;
    const stored: (IndexEntry | undefined)[] = [];
    for (const [position, own] of byRendition.entries()) {
      const entry = own.get(msn);
      // Without its initialization segment a segment is of no use to anybody.
      const isStored = entry?.size !== undefined && initialized[position] === true;
      if (entry !== undefined && (known === undefined || known.size === undefined)) known = entry;
      stored.push(isStored ? entry : undefined);
    }
    const before = rows.at(-1);
    const pdt = known?.pdt ?? (before === undefined ? 0 : before.pdt + before.duration * 1000);
    rows.push({ msn, epoch, pdt, duration: known?.duration ?? targetDuration, stored });
  }
}

/** Numbers that were skipped when another server took over, or that a server had when it died. */
function appendHole(rows: TimelineRow[], entries: EpochEntries, next: EpochEntries, targetDuration: number): void {
  const before = rows.at(-1);
  if (before === undefined || before.msn + 1 >= next.first) return;
  const missing = next.first - before.msn - 1;
  const count = missing > MAX_HOLE ? 1 : missing;
  const startMs = before.pdt + before.duration * 1000;
  const endMs = Math.min(...next.byRendition.map((own) => own.get(next.first)?.pdt ?? Number.POSITIVE_INFINITY));
  const duration = Math.min(targetDuration, Math.max(SHORTEST_GAP, (endMs - startMs) / 1000 / count));
  for (let index = 0; index < count; index += 1) {
    rows.push({
      msn: before.msn + 1 + index,
      epoch: entries.epoch,
      pdt: startMs + index * duration * 1000,
      duration,
      stored: entries.byRendition.map(() => undefined),
    });
  }
}
