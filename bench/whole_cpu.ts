/**
 * CPU of the whole system for one live 720p30 stream, as a ratio to the ladder command that it replaces, in the same
 * run. `script/node bench/whole_cpu.ts [seconds] [source…]`; sources are testsrc2 (easy) and mandelbrot (high motion).
 */
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startMachine } from '../test/one_machine/machine_process.ts';
import { cpuSeconds } from './process_cpu.ts';
import { makeSource, SOURCES } from './test_source.ts';
import type { SourceName } from './test_source.ts';

const seconds = Number(process.argv[2] ?? 60);
const names = process.argv.slice(3).filter((name): name is SourceName => Object.hasOwn(SOURCES, name));
const folder = mkdtempSync(join(tmpdir(), 'headwater-bench-'));

/** The replaced pipeline's ladder command, writing its HLS files. */
async function reference(source: string): Promise<number> {
  const rung = (size: string, video: string, max: string, buffer: string, audio: string, name: string) => [
    ['-vf', `scale=${size}:force_original_aspect_ratio=decrease`, '-c:a', 'aac', '-ar', '48000', '-c:v', 'libx264'],
    ['-preset', 'veryfast', '-profile:v', 'main', '-crf', '20', '-sc_threshold', '0', '-g', '48', '-keyint_min', '48'],
    ['-hls_time', '6', '-hls_list_size', '10', '-hls_flags', 'delete_segments', '-max_muxing_queue_size', '1024'],
    ['-b:v', video, '-maxrate', max, '-bufsize', buffer, '-b:a', audio, '-y', join(folder, `${name}.m3u8`)],
  ];
  const child = spawn(
    'ffmpeg',
    [
      ['-hide_banner', '-loglevel', 'error', '-nostdin', '-re', '-i', source],
      // 842x480 becomes an odd 842x474 there; the height is what costs.
      ...rung('w=640:h=360', '800k', '856k', '1200k', '96k', '360p'),
      ...rung('w=842:h=480', '1400k', '1498k', '2100k', '128k', '480p'),
      ...rung('w=1280:h=720', '2800k', '2996k', '4200k', '128k', '720p'),
    ].flat(),
    { stdio: 'inherit' },
  );
  const { pid } = child;
  if (pid === undefined) throw new Error('FFmpeg could not be started');
  const before = cpuSeconds(process.pid).children;
  await new Promise((resolve) => child.once('close', resolve));
  return cpuSeconds(process.pid).children - before;
}

async function headwater(source: string, policy: 'copy' | 'encode') {
  const machine = await startMachine({ HW_TOP_RENDITION: policy, HW_GOODBYE_WINDOW: '0', LOG_LEVEL: 'warn' });
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
    // FFmpeg's CPU is counted when it has flushed and ended.
    let after = cpuSeconds(machine.pid);
    while (after.children === before.children) {
      await new Promise((resolve) => setTimeout(resolve, 100));
      after = cpuSeconds(machine.pid);
    }
    return { node: after.own - before.own, ffmpeg: after.children - before.children };
  } finally {
    await machine.stop();
  }
}

for (const name of names.length > 0 ? names : (['testsrc2', 'mandelbrot'] as const)) {
  const source = makeSource(folder, name, seconds);
  const ref = await reference(source);
  for (const policy of ['encode', 'copy'] as const) {
    const { node, ffmpeg } = await headwater(source, policy);
    const total = node + ffmpeg;
    console.log(
      JSON.stringify({
        source: name,
        policy,
        seconds,
        referenceCpuS: Number(ref.toFixed(2)),
        cpuS: Number(total.toFixed(2)),
        ratio: Number((total / ref).toFixed(3)),
        nodeCpuS: Number(node.toFixed(2)),
        nodeShare: Number((node / total).toFixed(3)),
      }),
    );
  }
}
rmSync(folder, { recursive: true });
