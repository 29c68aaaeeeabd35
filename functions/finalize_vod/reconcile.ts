/**
 * Holds what the indexes of a recording say against what its store lists, without touching either: which segments stand,
 * which are gaps, and which lie there without any index naming them.
 */
import type { Epoch, RenditionName } from '../../contracts/ids.ts';
import type { IndexEntry, RecordingIndex, RecordingSession } from '../../contracts/recording.ts';
import type { StoredObjectInfo } from '../../contracts/recording_store.ts';
import { recordedRenditions } from '../../contracts/recording_timeline.ts';
import type { EpochMedia } from './read_recording.ts';

export interface UnindexedSegment {
  readonly epoch: Epoch;
  readonly rendition: RenditionName;
  readonly msn: number;
  readonly info: StoredObjectInfo;
}

export interface Reconciled {
  /** One index per epoch, ascending: each entry with a size lies in the store in that size, the others are gaps. */
  readonly indexes: readonly RecordingIndex[];
  /** Indexed as stored, but not there. */
  readonly missing: number;
  /** There in another size than it was stored in. */
  readonly damaged: number;
  /** There, and named by no index; by epoch, rendition, and MSN. */
  readonly unindexed: readonly UnindexedSegment[];
}

type Media = ReadonlyMap<Epoch, EpochMedia>;

/** @param media what lies in the store; its epochs are all that the recording has */
export function reconcile(session: RecordingSession, indexes: readonly RecordingIndex[], media: Media): Reconciled {
  const found = { missing: 0, damaged: 0 };
  const unindexed: UnindexedSegment[] = [];
  const merged: RecordingIndex[] = [];
  for (const index of mergeIndexes(session, indexes, media)) {
    const { epoch } = index;
    const stored = media.get(epoch);
    const entries: Record<string, IndexEntry[]> = {};
    const inits: RecordingIndex['inits'] = {};
    for (const rendition of recordedRenditions(session)) {
      const listed = stored?.segments.get(rendition) ?? new Map<number, StoredObjectInfo>();
      const named = index.entries[rendition] ?? [];
      const known = new Set(named.filter(({ size }) => size !== undefined).map(({ msn }) => msn));
      for (const [msn, info] of listed) if (!known.has(msn)) unindexed.push({ epoch, rendition, msn, info });
      entries[rendition] = named.map((entry) => holdAgainst(entry, listed.get(entry.msn), found));
      const init = index.inits[rendition];
      if (init !== undefined && stored?.inits.get(rendition)?.size === init.size) inits[rendition] = init;
    }
    merged.push({ ...index, inits, entries });
  }
  unindexed.sort((a, b) => a.epoch - b.epoch || a.rendition.localeCompare(b.rendition) || a.msn - b.msn);
  return { ...found, indexes: merged, unindexed };
}

/**
 * What the indexes say, in one index per epoch, ascending. A stored segment stands above a gap, which was declared
 * before it came; of two that differ, the one whose size is that of the object.
 */
export function mergeIndexes(
  session: RecordingSession,
  indexes: readonly RecordingIndex[],
  media: Media,
): readonly RecordingIndex[] {
  return [...media].map(([epoch, stored]) => {
    const own = indexes.filter((index) => index.epoch === epoch);
    const entries: Record<string, IndexEntry[]> = {};
    const inits: RecordingIndex['inits'] = {};
    for (const rendition of recordedRenditions(session)) {
      entries[rendition] = mergeEntries(own, rendition, stored.segments.get(rendition));
      const init = own.find((index) => index.inits[rendition] !== undefined)?.inits[rendition];
      if (init !== undefined) inits[rendition] = init;
    }
    const serial = Math.max(0, ...own.map((index) => index.serial));
    return { v: 1, streamId: session.streamId, sessionId: session.sessionId, epoch, serial, inits, entries };
  });
}

/** One entry per MSN, ascending. */
function mergeEntries(
  indexes: readonly RecordingIndex[],
  rendition: RenditionName,
  listed: ReadonlyMap<number, StoredObjectInfo> | undefined,
): IndexEntry[] {
  const merged = new Map<number, IndexEntry>();
  const rank = ({ msn, size }: IndexEntry): number => {
    if (size === undefined) return 0;
    return size === listed?.get(msn)?.size ? 2 : 1;
  };
  for (const index of indexes) {
    for (const entry of index.entries[rendition] ?? []) {
      const before = merged.get(entry.msn);
      if (before === undefined || rank(entry) > rank(before)) merged.set(entry.msn, entry);
    }
  }
  return [...merged.values()].toSorted((a, b) => a.msn - b.msn);
}

function holdAgainst(
  entry: IndexEntry,
  info: StoredObjectInfo | undefined,
  found: { missing: number; damaged: number },
): IndexEntry {
  if (entry.size === undefined || entry.size === info?.size) return entry;
  if (info === undefined) found.missing += 1;
  else found.damaged += 1;
  return { msn: entry.msn, duration: entry.duration, pdt: entry.pdt };
}
