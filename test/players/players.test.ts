/**
 * Players that are not ours play a live ladder from the edge: in Chromium hls.js, Shaka, Video.js and the browser's own
 * HLS; as programs FFmpeg, and with `script/test --full` VLC and mpv.
 */
import { mkdtemp, rm, stat, chmod } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { isFull } from '../layers/needs_full.ts';
import { publishWithFfmpeg } from '../one_machine/ffmpeg_publisher.ts';
import type { FfmpegPublisher } from '../one_machine/ffmpeg_publisher.ts';
import { eventually } from '../one_machine/eventually.ts';
import { startMachine } from '../one_machine/machine_process.ts';
import type { MachineProcess } from '../one_machine/machine_process.ts';
import { openPlayer, PLAYERS } from './player_page.ts';
import { mpvArguments, runProgram, vlcArguments } from './programs.ts';

let machine: MachineProcess;
let publisher: FfmpegPublisher;
let folder: string;
let playlist: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'headwater-players-'));
  await chmod(folder, 0o777);
  machine = await startMachine({
    HW_STREAM_KEYS: 'show=players-stream-key',
    HW_LADDER: '180p:300k:330k:96k,360p:800k:856k:96k',
  });
  publisher = publishWithFfmpeg(`rtmp://127.0.0.1:${machine.ports.rtmp}/stream/players-stream-key`, {
    size: '640x360',
    seconds: 600,
  });
  playlist = `http://127.0.0.1:${machine.ports.edge}/show/live.m3u8`;
  await eventually('a playlist', 20_000, async () => ((await fetch(playlist)).ok ? true : undefined));
});

afterAll(async () => {
  await publisher.stop();
  await machine.stop();
  await rm(folder, { recursive: true, force: true });
});

test.each(PLAYERS)('%s in Chromium plays eight seconds, without a fatal error', async (player) => {
  const tab = await openPlayer(player, playlist);
  try {
    await tab.page.waitForFunction('document.querySelector("video").currentTime > 0', undefined, { timeout: 30_000 });
    const start = await tab.page.evaluate<number>('document.querySelector("video").currentTime');
    await tab.page.waitForFunction(`document.querySelector("video").currentTime > ${start + 8}`, undefined, {
      timeout: 30_000,
    });
    expect((await tab.errors()).filter((error) => error.startsWith('fatal'))).toEqual([]);
    expect(await tab.page.evaluate('document.querySelector("video").videoHeight')).toBeGreaterThanOrEqual(180);
  } finally {
    await tab.close();
  }
});

test('ffprobe names both tracks of each rendition, ffmpeg decodes five seconds without an error', async () => {
  const probe = await runProgram(
    'ffprobe',
    ['-v', 'error', '-show_entries', 'stream=codec_name,height', '-of', 'csv=p=0', playlist],
    60_000,
  );
  // Streams are listed alone and again within their program.
  const streams = new Set(probe.output.split('\n').map((line) => line.replace(/,$/, '')));
  expect([...streams].filter((line) => line !== '').toSorted()).toEqual(['aac', 'h264,180', 'h264,360']);
  const decode = await runProgram(
    'ffmpeg',
    ['-v', 'error', '-nostdin', '-i', playlist, '-t', '5', '-f', 'null', '-'],
    60_000,
  );
  expect(decode).toEqual({ code: 0, output: '' });
});

test('VLC plays and passes on what it plays', async (context) => {
  if (!isFull) context.skip('needs script/test --full');
  const file = join(folder, 'vlc.ts');
  await runProgram('cvlc', vlcArguments(playlist, file), 60_000);
  expect((await stat(file)).size).toBeGreaterThan(100_000);
  const { output } = await runProgram(
    'ffprobe',
    ['-v', 'error', '-show_entries', 'format=duration:stream=codec_name', '-of', 'csv=p=0', file],
    60_000,
  );
  expect(output).toContain('h264');
  expect(output).toContain('aac');
  expect(Number(output.trim().split('\n').at(-1))).toBeGreaterThan(4);
});

test('mpv plays five seconds of picture and sound', async (context) => {
  if (!isFull) context.skip('needs script/test --full');
  const { code, output } = await runProgram('mpv', mpvArguments(playlist), 60_000);
  expect(output).toContain('h264');
  expect(output).toContain('aac');
  expect(code).toBe(0);
});
