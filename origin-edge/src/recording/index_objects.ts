/**
 * Which of a recording's objects say what it holds, so that each segment is read about once: roll-ups stand for the
 * sealed indexes that they join.
 */
import { parseEpoch } from '../../../contracts/ids.ts';
import type { Epoch, SessionId, StreamId } from '../../../contracts/ids.ts';
import { INDEXES_PER_ROLL_UP, recordingKey } from '../../../contracts/recording.ts';
import type { RecordingIndex } from '../../../contracts/recording.ts';
import type { ListedObject, Listing } from './recording_source.ts';

export interface KnownIndex {
  readonly etag: string;
  readonly modifiedAtMs: number;
  readonly index: RecordingIndex;
  /** Numbers of sealed indexes that it says the content of: from, to, both included. Of a tail none. */
  readonly serials: readonly [number, number] | undefined;
}

/** What to read: the listed object, and which sealed indexes it stands for. */
export interface WantedIndex extends Pick<KnownIndex, 'serials'> {
  readonly object: ListedObject;
}

const NUMBERED = /^([0-9]{16})-([0-9]{6})\.json$/;

/**
 * @param known what was read before, by key: a sealed index that is known needs no roll-up
 */
export function wantedIndexes(
  listing: Listing,
  streamId: StreamId,
  sessionId: SessionId,
  known: ReadonlyMap<string, KnownIndex>,
): readonly WantedIndex[] {
  const below = (folder: string) => listing.objects.filter(({ key }) => key.startsWith(folder));
  const sealed = new Map(below(recordingKey.indexFolder(streamId, sessionId)).map((object) => [object.key, object]));
  const wanted: WantedIndex[] = [];
  for (const object of below(recordingKey.rollUpFolder(streamId, sessionId))) {
    const number = numberOf(object, recordingKey.rollUpFolder(streamId, sessionId));
    if (number === undefined) continue;
    const first = number.serial - INDEXES_PER_ROLL_UP + 1;
    const covered = Array.from({ length: INDEXES_PER_ROLL_UP }, (_, offset) =>
      recordingKey.index(streamId, sessionId, number.epoch, first + offset),
    );
    if (covered.every((key) => known.has(key) && sealed.has(key))) continue;
    for (const key of covered) sealed.delete(key);
    wanted.push({ object, serials: [first, number.serial] });
  }
  for (const object of sealed.values()) {
    const number = numberOf(object, recordingKey.indexFolder(streamId, sessionId));
    if (number !== undefined) wanted.push({ object, serials: [number.serial, number.serial] });
  }
  for (const object of below(recordingKey.tailFolder(streamId, sessionId))) wanted.push({ object, serials: undefined });
  return wanted;
}

function numberOf(
  { key }: ListedObject,
  folder: string,
): { readonly epoch: Epoch; readonly serial: number } | undefined {
  const match = NUMBERED.exec(key.slice(folder.length));
  return match === null ? undefined : { epoch: parseEpoch(Number(match[1])), serial: Number(match[2]) };
}

/** Whether a tail goes on behind a sealed index that is not there. */
export function lacksSealed(indexes: Iterable<KnownIndex>): boolean {
  const highest = new Map<Epoch, number>();
  const count = new Map<Epoch, number>();
  for (const { index, serials } of indexes) {
    if (serials === undefined) highest.set(index.epoch, index.serial);
    else count.set(index.epoch, (count.get(index.epoch) ?? 0) + serials[1] - serials[0] + 1);
  }
  return [...highest].some(([epoch, serial]) => (count.get(epoch) ?? 0) < serial);
}

/** Epochs of which nothing has changed for `settledAfterMs`. */
export function settledEpochs(
  indexes: Iterable<KnownIndex>,
  nowMs: number,
  settledAfterMs: number,
): ReadonlySet<Epoch> {
  const changedAtMs = new Map<Epoch, number>();
  for (const { index, modifiedAtMs } of indexes) {
    changedAtMs.set(index.epoch, Math.max(changedAtMs.get(index.epoch) ?? 0, modifiedAtMs));
  }
  const settled = [...changedAtMs].filter(([, atMs]) => nowMs - atMs >= settledAfterMs);
  return new Set(settled.map(([epoch]) => epoch));
}
