/**
 * What recording adds to one live 720p30 stream, in pairs of runs that follow each other: CPU of the whole stream and
 * of the Node process, its memory, and the share of the index bytes. Into a folder, or into S3 (Ceph's on this machine,
 * or `HW_TEST_S3_ENDPOINT`). `script/node bench/recording.ts [file|s3] [seconds] [pairs]`
 */
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openStore } from '../storage/open_store.ts';
import { startMachine } from '../test/one_machine/machine_process.ts';
import { startS3 } from '../test/recording/s3_under_test.ts';
import { readRecording, recordedSessions } from '../test/recording/stored_recording.ts';
import { cpuSeconds, residentMiB } from './process_cpu.ts';
import { makeSource } from './test_source.ts';

const place = process.argv[2] === 's3' ? 's3' : 'file';
const seconds = Number(process.argv[3] ?? 60);
const pairs = Number(process.argv[4] ?? 3);
const folder = mkdtempSync(join(tmpdir(), 'headwater-bench-'));

interface Figures {
  readonly nodeCpuS: number;
  readonly cpuS: number;
  readonly residentMiB: number;
}

async function stream(source: string, env: Readonly<Record<string, string>>): Promise<Figures> {
  const machine = await startMachine({ HW_GOODBYE_WINDOW: '0', LOG_LEVEL: 'warn', ...env });
  try {
    const before = cpuSeconds(machine.pid);
    const publisher = spawn(
      'ffmpeg',
      [
        ['-hide_banner', '-loglevel', 'error', '-nostdin', '-re', '-i', source, '-c', 'copy'],
        ['-f', 'flv', `rtmp://127.0.0.1:${machine.ports.rtmp}/stream/bench-stream-key`],
      ].flat(),
      { stdio: 'inherit' },
    );
    await new Promise((resolve) => publisher.once('close', resolve));
    const resident = residentMiB(machine.pid);
    // FFmpeg's CPU is counted when it has flushed and ended; what is still being stored follows it.
    let after = cpuSeconds(machine.pid);
    while (after.children === before.children) {
      await new Promise((resolve) => setTimeout(resolve, 100));
      after = cpuSeconds(machine.pid);
    }
    await new Promise((resolve) => setTimeout(resolve, 1000));
    after = cpuSeconds(machine.pid);
    const node = after.own - before.own;
    return { nodeCpuS: node, cpuS: node + after.children - before.children, residentMiB: resident };
  } finally {
    await machine.stop();
  }
}

function median(values: readonly number[]): number {
  const sorted = values.toSorted((one, other) => one - other);
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN;
}

function rounded(value: number, digits = 3): number {
  return Number(value.toFixed(digits));
}

const s3 = place === 's3' ? await startS3() : undefined;
Object.assign(process.env, s3?.env);
const source = makeSource(folder, 'testsrc2', seconds);
const added: { readonly cpu: number; readonly node: number; readonly resident: number }[] = [];
for (let pair = 0; pair < pairs; pair += 1) {
  const location = s3 === undefined ? `file:${join(folder, String(pair))}` : `s3://${s3.bucket}/${pair}`;
  const env = { ...s3?.env, HW_RECORDING_STORE: location };
  const order = pair % 2 === 0 ? (['off', 'all'] as const) : (['all', 'off'] as const);
  const figures: Partial<Record<'off' | 'all', Figures>> = {};
  for (const record of order) figures[record] = await stream(source, { ...env, HW_RECORD: record });
  const { off, all } = figures;
  if (off === undefined || all === undefined) throw new Error('a run is missing');
  const store = openStore(location, { s3Endpoint: s3?.endpoint });
  const [sessionId] = await recordedSessions(store, 'bench');
  if (sessionId === undefined) throw new Error('nothing was recorded');
  const { bytes, lies } = await readRecording(store, 'bench', sessionId);
  store.close();
  added.push({
    cpu: (all.nodeCpuS - off.nodeCpuS) / off.cpuS,
    node: all.nodeCpuS - off.nodeCpuS,
    resident: all.residentMiB - off.residentMiB,
  });
  const figure = { place, seconds, off, all, mediaBytes: bytes.media, storedIndexBytes: bytes.indexes, lies };
  console.log(JSON.stringify(figure, (_, value: unknown) => (typeof value === 'number' ? rounded(value) : value)));
}
console.log(
  JSON.stringify({
    addedCpuShareOfStream: rounded(median(added.map(({ cpu }) => cpu))),
    addedNodeCpuMsPerSecond: rounded((median(added.map(({ node }) => node)) / seconds) * 1000, 2),
    addedResidentMiB: rounded(median(added.map(({ resident }) => resident)), 1),
  }),
);
await s3?.stop();
rmSync(folder, { recursive: true });
