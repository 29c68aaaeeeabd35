/**
 * Resident memory of the Node process with 1, 5 and 20 copy-only streams of 2.5 Mb/s, each for some minutes.
 * `script/node bench/memory.ts [minutes] [streams…]`
 */
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startMachine } from '../test/one_machine/machine_process.ts';
import { cpuSeconds, residentMiB } from './process_cpu.ts';
import { makeSource } from './test_source.ts';

const minutes = Number(process.argv[2] ?? 10);
const counts = process.argv.length > 3 ? process.argv.slice(3).map(Number) : [1, 5, 20];
const folder = mkdtempSync(join(tmpdir(), 'headwater-bench-'));
const source = makeSource(folder, 'testsrc2', 60);

for (const count of counts) {
  const keys = Array.from({ length: count }, (_, index) => `s${index}=memory-bench-key-${index}`);
  const machine = await startMachine({
    HW_STREAM_KEYS: keys.join(','),
    HW_MAX_STREAMS: String(count),
    // One rung as large as the source: it is passed through and nothing is encoded but sound.
    HW_LADDER: '720p:2800k:2996k:128k',
    LOG_LEVEL: 'warn',
  });
  const publishers = keys.map((_, index) =>
    spawn(
      'ffmpeg',
      [
        ['-hide_banner', '-loglevel', 'error', '-nostdin', '-re', '-stream_loop', '-1', '-i', source, '-c', 'copy'],
        ['-f', 'flv', `rtmp://127.0.0.1:${machine.ports.rtmp}/stream/memory-bench-key-${index}`],
      ].flat(),
      { stdio: 'inherit' },
    ),
  );
  const samples: number[] = [];
  const cpu = cpuSeconds(machine.pid).own;
  for (let minute = 0; minute <= minutes; minute += 1) {
    if (minute > 0) await new Promise((resolve) => setTimeout(resolve, 60_000));
    samples.push(Math.round(residentMiB(machine.pid)));
  }
  console.log(
    JSON.stringify({
      streams: count,
      residentMiBByMinute: samples,
      nodeCores: Number(((cpuSeconds(machine.pid).own - cpu) / (minutes * 60)).toFixed(3)),
    }),
  );
  for (const publisher of publishers) publisher.kill('SIGKILL');
  await machine.stop();
}
rmSync(folder, { recursive: true });
