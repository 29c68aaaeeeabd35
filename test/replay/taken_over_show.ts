/**
 * A recording as it is left by three lost connections and by a server that died: real media of the one-machine run, of
 * which the last epoch's numbers are moved on, as the next owner's are, and the segment before them is lost.
 */
import { readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { recordingIndexSchema, recordingKey } from '../../contracts/recording.ts';
import type { RecordingIndex } from '../../contracts/recording.ts';
import type { SessionId } from '../../contracts/ids.ts';
import { parsePayload } from '../../contracts/schema.ts';
import { createFinalizeVod } from '../../functions/finalize_vod.ts';
import { createFileStore } from '../../storage/file_store.ts';
import { eventually } from '../one_machine/eventually.ts';
import { finalLine, publishShow, recordedSessions, startRecordingMachine, STREAM } from '../vod/recorded_show.ts';
import type { DataFolder } from '../vod/recorded_show.ts';

/** Numbers that a new owner leaves out: those of the seconds since the last report, and two. */
const JUMP = 9;
const EPOCHS = 4;
const EPOCH_MS = 5000;

/** @returns the session, final */
export async function recordTakenOverShow(folder: DataFolder): Promise<SessionId> {
  const machine = await startRecordingMachine(folder);
  try {
    for (let epoch = 1; epoch <= EPOCHS; epoch += 1) {
      const publisher = await publishShow(machine, '640x360');
      await eventually('the connection gives media', 15_000, () => {
        return machine.log().split('"media is out"').length > epoch;
      });
      await new Promise((resolve) => setTimeout(resolve, EPOCH_MS));
      await (epoch < EPOCHS ? publisher.reset() : publisher.sayGoodbye());
    }
    const sessionId = await eventually('a session', 5000, async () => (await recordedSessions(folder))[0]);
    await finalLine(machine, sessionId);
    await takeOver(folder, sessionId);
    return sessionId;
  } finally {
    await machine.stop();
  }
}

async function takeOver({ recordings }: DataFolder, sessionId: SessionId): Promise<void> {
  const file = (key: string): string => join(recordings, key);
  const folder = file(recordingKey.indexFolder(STREAM, sessionId));
  const names = (await readdir(folder)).toSorted();
  const read = async (name: string): Promise<RecordingIndex> =>
    parsePayload(recordingIndexSchema, JSON.parse(await readFile(join(folder, name), 'utf8')), name);
  const indexes = await Promise.all(names.map(read));
  const last = indexes.at(-1);
  const before = indexes.findLast(({ epoch }) => epoch !== last?.epoch);
  if (last === undefined || before === undefined) throw new Error('wanted the indexes of two epochs');
  for (const [rendition, entries] of Object.entries(last.entries)) {
    const path = (msn: number): string => file(`${STREAM}/${last.epoch}/${rendition}/${msn}.m4s`);
    for (const entry of entries.toReversed()) await rename(path(entry.msn), path(entry.msn + JUMP));
    for (const entry of entries) entry.msn += JUMP;
    const lost = before.entries[rendition]?.pop();
    if (lost !== undefined) await rm(file(`${STREAM}/${before.epoch}/${rendition}/${lost.msn}.m4s`));
  }
  for (const [position, index] of indexes.entries()) {
    await writeFile(join(folder, names[position] ?? ''), JSON.stringify(index));
  }
  await rm(file(recordingKey.tailFolder(STREAM, sessionId)), { recursive: true, force: true });
  await rm(file(recordingKey.summary(STREAM, sessionId)));
  const finalize = createFinalizeVod({
    store: createFileStore(recordings),
    announce: () => Promise.resolve(),
    log: () => undefined,
  });
  await finalize({ streamId: STREAM, sessionId });
}
