/**
 * Segments that lie in the store but stand in no index, because the recorder died before it wrote one: each is read,
 * checked to be a whole segment of its rendition, measured, dated, and given an entry.
 */
import { createHash } from 'node:crypto';
import type { Epoch, RenditionName } from '../../contracts/ids.ts';
import { keyOfPath } from '../../contracts/recording.ts';
import type { IndexEntry, RecordingIndex, StoreKey } from '../../contracts/recording.ts';
import type { RecordingStore } from '../../contracts/recording_store.ts';
import { mapLimited } from './map_limited.ts';
import type { EpochMedia } from './read_recording.ts';
import type { Reconciled, UnindexedSegment } from './reconcile.ts';
import { readInitTracks, readSegmentTiming, SegmentFormatError } from './segment_timing.ts';
import type { InitTrack } from './segment_timing.ts';

export interface Adoption {
  /** By epoch, ascending, only epochs that something was adopted in: what to add to the reconciled indexes. */
  readonly indexes: readonly RecordingIndex[];
  /** Objects that are not what their key says: left alone, each with the reason in one line. */
  readonly rejected: readonly { readonly key: StoreKey; readonly reason: string }[];
}

/** Segments are a megabyte or so each. */
const PARALLEL = 8;
/** How far a segment's own time may lie from that of the same MSN in another rendition, ms. */
const SAME_MOMENT_MS = 500;

interface Measured {
  readonly segment: UnindexedSegment;
  readonly size: number;
  readonly sha256: string;
  /** Seconds on the epoch's own timeline. */
  readonly start: number;
  readonly duration: number;
}

type Store = Pick<RecordingStore, 'get'>;

/** @throws StoreError */
export async function adoptSegments(
  store: Store,
  reconciled: Pick<Reconciled, 'indexes' | 'unindexed'>,
  media: ReadonlyMap<Epoch, EpochMedia>,
): Promise<Adoption> {
  const indexes: RecordingIndex[] = [];
  const rejected: { key: StoreKey; reason: string }[] = [];
  let endMs = 0;
  for (const index of reconciled.indexes) {
    const unindexed = reconciled.unindexed.filter((segment) => segment.epoch === index.epoch);
    const inits = await readInits(store, index, media.get(index.epoch), unindexed);
    const measured = await measure(store, unindexed, inits, rejected);
    const offsetMs = measured.length === 0 ? 0 : await epochOffset(store, index, inits, measured, endMs);
    const adopted = place(index, measured, offsetMs, rejected, inits);
    if (adopted !== undefined) indexes.push(adopted);
    for (const entry of [index, adopted].flatMap((each) => Object.values(each?.entries ?? {}).flat())) {
      endMs = Math.max(endMs, entry.pdt + entry.duration * 1000);
    }
  }
  return { indexes, rejected };
}

interface ReadInit {
  readonly size: number;
  readonly sha256: string;
  readonly tracks: readonly InitTrack[];
}

/** Initialization segments of renditions with unindexed segments, and those that no index names. */
async function readInits(
  store: Store,
  index: RecordingIndex,
  media: EpochMedia | undefined,
  unindexed: readonly UnindexedSegment[],
): Promise<Map<RenditionName, ReadInit>> {
  const wanted = [...(media?.inits.keys() ?? [])].filter(
    (rendition) => index.inits[rendition] === undefined || unindexed.some((segment) => segment.rendition === rendition),
  );
  const inits = new Map<RenditionName, ReadInit>();
  await mapLimited(wanted, PARALLEL, async (rendition) => {
    const { streamId, epoch } = index;
    const object = await store.get(keyOfPath({ kind: 'init', streamId, epoch, rendition }));
    if (object === undefined) return;
    try {
      inits.set(rendition, { ...digestOf(object.body), tracks: readInitTracks(object.body) });
    } catch (error) {
      if (!(error instanceof SegmentFormatError) && !(error instanceof RangeError)) throw error;
    }
  });
  return inits;
}

function digestOf(body: Uint8Array): { readonly size: number; readonly sha256: string } {
  return { size: body.byteLength, sha256: createHash('sha256').update(body).digest('hex') };
}

async function measure(
  store: Store,
  unindexed: readonly UnindexedSegment[],
  inits: ReadonlyMap<RenditionName, ReadInit>,
  rejected: { key: StoreKey; reason: string }[],
): Promise<Measured[]> {
  const measured = await mapLimited(unindexed, PARALLEL, async (segment) => {
    const { key } = segment.info;
    const init = inits.get(segment.rendition);
    if (init === undefined) {
      rejected.push({ key, reason: 'there is no initialization segment to read it by' });
      return undefined;
    }
    const object = await store.get(key);
    if (object === undefined) return undefined;
    try {
      const { start, duration } = readSegmentTiming(object.body, init.tracks);
      return { segment, ...digestOf(object.body), start, duration };
    } catch (error) {
      if (!(error instanceof SegmentFormatError)) throw error;
      rejected.push({ key, reason: error.message });
      return undefined;
    }
  });
  return measured.filter((each) => each !== undefined);
}

/**
 * Programme time is linear in media time within an epoch: what to add to a segment's start to get its date. From a
 * segment that is dated; without one the epoch's first segment is dated by when it was stored, after the last epoch.
 */
async function epochOffset(
  store: Store,
  index: RecordingIndex,
  inits: ReadonlyMap<RenditionName, ReadInit>,
  measured: readonly Measured[],
  earliestMs: number,
): Promise<number> {
  const entries = Object.values(index.entries).flat();
  const twinOf = ({ segment }: Measured, isStored: boolean) =>
    entries.find((entry) => entry.msn === segment.msn && (entry.size !== undefined) === isStored);
  for (const each of measured) {
    const twin = twinOf(each, true);
    if (twin !== undefined) return twin.pdt - each.start * 1000;
  }
  const { streamId, epoch } = index;
  for (const [rendition, { tracks }] of inits) {
    const dated = (index.entries[rendition] ?? []).findLast((entry) => entry.size !== undefined);
    if (dated === undefined) continue;
    const object = await store.get(keyOfPath({ kind: 'segment', streamId, epoch, rendition, msn: dated.msn }));
    try {
      if (object !== undefined) return dated.pdt - readSegmentTiming(object.body, tracks).start * 1000;
    } catch (error) {
      if (!(error instanceof SegmentFormatError)) throw error;
    }
  }
  // A gap's date is only about right.
  for (const each of measured) {
    const twin = twinOf(each, false);
    if (twin !== undefined) return twin.pdt - each.start * 1000;
  }
  const first = measured.reduce((least, each) => (each.start < least.start ? each : least));
  const storedMs = first.segment.info.modifiedAtMs - first.duration * 1000;
  return Math.max(earliestMs, storedMs) - first.start * 1000;
}

/** Dates what was measured; what does not lie between its neighbours in time is a copy of something else. */
function place(
  index: RecordingIndex,
  measured: readonly Measured[],
  offsetMs: number,
  rejected: { key: StoreKey; reason: string }[],
  inits: ReadonlyMap<RenditionName, ReadInit>,
): RecordingIndex | undefined {
  const dated = Object.values(index.entries)
    .flat()
    .filter((entry) => entry.size !== undefined);
  const entries: Record<string, IndexEntry[]> = {};
  for (const { segment, size, sha256, start, duration } of measured.toSorted((a, b) => a.segment.msn - b.segment.msn)) {
    const { msn, rendition, info } = segment;
    const pdt = offsetMs + start * 1000;
    if (!isInPlace(dated, msn, pdt)) {
      rejected.push({ key: info.key, reason: 'its times are those of another media sequence number' });
      continue;
    }
    const entry = { msn, duration, pdt, size, sha256 };
    dated.push(entry);
    (entries[rendition] ??= []).push(entry);
  }
  const added: RecordingIndex['inits'] = {};
  for (const [rendition, { size, sha256 }] of inits) {
    if (index.inits[rendition] === undefined) added[rendition] = { size, sha256 };
  }
  if (Object.keys(entries).length === 0 && Object.keys(added).length === 0) return undefined;
  return { ...index, inits: added, entries };
}

function isInPlace(dated: readonly IndexEntry[], msn: number, pdt: number): boolean {
  return dated.every((other) => {
    if (other.msn === msn) return Math.abs(other.pdt - pdt) <= SAME_MOMENT_MS;
    return other.msn < msn ? other.pdt < pdt : other.pdt > pdt;
  });
}
