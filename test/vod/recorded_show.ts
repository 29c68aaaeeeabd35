/**
 * A show that the one-machine run recorded, left in a folder: two connections lost on the way, then a goodbye.
 */
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseSessionId, parseStreamId } from '../../contracts/ids.ts';
import type { SessionId, StreamId } from '../../contracts/ids.ts';
import { eventually } from '../one_machine/eventually.ts';
import { startMachine } from '../one_machine/machine_process.ts';
import type { MachineProcess } from '../one_machine/machine_process.ts';
import { PacedPublisher } from '../one_machine/paced_publisher.ts';
import { makeTestSource } from '../one_machine/test_source.ts';

export const STREAM: StreamId = parseStreamId('show');
const KEY = 'key-of-the-show-that-nobody-sees';

export interface DataFolder {
  /** HW_DATA_DIR of the machines that record into it. */
  readonly data: string;
  readonly recordings: string;
  remove(): Promise<void>;
}

export async function makeDataFolder(): Promise<DataFolder> {
  const data = await mkdtemp(join(tmpdir(), 'headwater-vod-'));
  return { data, recordings: join(data, 'recordings'), remove: () => rm(data, { recursive: true, force: true }) };
}

export function startRecordingMachine(
  { data }: DataFolder,
  env: Readonly<Record<string, string>> = {},
): Promise<MachineProcess> {
  return startMachine({
    HW_DATA_DIR: data,
    HW_STREAM_KEYS: `${STREAM}=${KEY}`,
    HW_RECONNECT_WINDOW: '20',
    HW_GOODBYE_WINDOW: '1',
    ...env,
  });
}

/** @param size of the picture: 320x180 is one rendition, passed through */
export async function publishShow(machine: MachineProcess, size = '320x180'): Promise<PacedPublisher> {
  return PacedPublisher.start({ port: machine.ports.rtmp, key: KEY, source: await makeTestSource({ size }) });
}

/** The sessions that the folder holds, oldest first. */
export async function recordedSessions({ recordings }: DataFolder): Promise<SessionId[]> {
  const names = await readdir(join(recordings, STREAM)).catch(() => []);
  return names
    .filter((name) => /^vod-[0-9A-Z]{26}$/.test(name))
    .map((name) => parseSessionId(name.slice(4)))
    .toSorted();
}

interface FinalLine {
  readonly time: number;
  readonly outcome: string;
  readonly ms: number;
}

/** Waits for the recording's finalisation as the machine logs it. */
export function finalLine(machine: MachineProcess, sessionId: SessionId): Promise<FinalLine> {
  return eventually(`the recording ${sessionId} is final`, 20_000, () => {
    const line = machine
      .log()
      .split('\n')
      .find((text) => text.includes('the recording is final') && text.includes(sessionId));
    return line === undefined ? undefined : (JSON.parse(line) as FinalLine);
  });
}
