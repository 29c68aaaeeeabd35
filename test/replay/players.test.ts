/**
 * Players that are not ours play a recording with three reconnects and one change of server from start to end: hls.js and
 * Shaka in Chromium and VLC, which seek in it, and FFmpeg.
 */
import { chmod, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { isFull } from '../layers/needs_full.ts';
import type { MachineProcess } from '../one_machine/machine_process.ts';
import { openPlayer } from '../players/player_page.ts';
import { runProgram } from '../players/programs.ts';
import { makeDataFolder, startRecordingMachine, STREAM } from '../vod/recorded_show.ts';
import type { DataFolder } from '../vod/recorded_show.ts';
import { recordTakenOverShow } from './taken_over_show.ts';

/** Every picture counts, also those whose time stamps begin anew with an epoch. */
const TO_NOTHING = ['-fps_mode', 'passthrough', '-f', 'null', '-'];
const SILENT_VLC = ['-I', 'dummy', '--no-media-library', '--vout', 'vdummy', '--aout', 'adummy'];

describe.skipIf(!isFull)('a recording with three reconnects and a change of server (needs script/test --full)', () => {
  let folder: DataFolder;
  let scratch: string;
  let machine: MachineProcess;
  let playlist: string;
  /** Segments that are there, as `{epoch}/{rendition}/{msn}.m4s`. */
  const present: string[] = [];
  let media = '';
  let duration = 0;

  beforeAll(async () => {
    folder = await makeDataFolder();
    scratch = await mkdtemp(join(tmpdir(), 'headwater-replay-'));
    await chmod(scratch, 0o777);
    const sessionId = await recordTakenOverShow(folder);
    machine = await startRecordingMachine(folder);
    const origin = `http://127.0.0.1:${machine.ports.edge}`;
    playlist = `${origin}/${STREAM}/vod-${sessionId}.m3u8`;
    media = await (await fetch(`${origin}/${STREAM}/vod-${sessionId}/360p.m3u8`)).text();
    for (const [, gap, seconds, uri = ''] of media.matchAll(/(#EXT-X-GAP\n)?#EXTINF:([0-9.]+),\n\.\.\/(\S+)/g)) {
      duration += Number(seconds);
      if (gap === undefined) present.push(uri);
    }
  });

  afterAll(async () => {
    await machine.stop();
    await rm(scratch, { recursive: true, force: true });
    await folder.remove();
  });

  it('has what it is named for', () => {
    expect(media.match(/#EXT-X-DISCONTINUITY\n/g)).toHaveLength(3);
    // What the dead server lost, and the numbers that its heir left out.
    expect(media.match(/#EXT-X-GAP\n/g)).toHaveLength(10);
  });

  it.each(['hls.js', 'shaka'] as const)('plays to its end and seeks in %s', async (player) => {
    const tab = await openPlayer(player, playlist);
    try {
      const video = 'document.querySelector("video")';
      await tab.page.waitForFunction(`${video}.currentTime > 0.5`, undefined, { timeout: 30_000 });
      expect(await tab.page.evaluate<number>(`${video}.currentTime`)).toBeLessThan(5);
      await tab.page.evaluate(`${video}.playbackRate = 2`);
      await tab.page.waitForFunction(`${video}.ended`, undefined, { timeout: 60_000 });
      expect(await tab.page.evaluate<number>(`${video}.duration`)).toBeCloseTo(duration, 0);
      await tab.page.evaluate(`${video}.currentTime = 6; ${video}.play()`);
      await tab.page.waitForFunction(`${video}.currentTime > 7 && ${video}.currentTime < 20`, undefined, {
        timeout: 30_000,
      });
      expect((await tab.errors()).filter((error) => error.startsWith('fatal'))).toEqual([]);
    } finally {
      await tab.close();
    }
  });

  // No seeking: FFmpeg 5.1 shows nothing after a seek in any HLS of fragmented MP4, its own included.
  it('is read and decoded whole by FFmpeg', async () => {
    const probe = await runProgram(
      'ffprobe',
      ['-v', 'quiet', '-show_entries', 'format=duration', '-of', 'csv=p=0', playlist],
      60_000,
    );
    expect(Number(probe.output.trim())).toBeCloseTo(duration, 0);
    const decode = async (): Promise<number> => {
      const run = await runProgram(
        'ffmpeg',
        ['-v', 'error', '-nostdin', '-progress', 'pipe:1', '-i', playlist, '-map', '0:v:0', ...TO_NOTHING],
        90_000,
      );
      expect(run.code).toBe(0);
      return Number(/frame= *([0-9]+)\n(?![^]*frame=)/.exec(run.output)?.[1]);
    };
    const count = ['-v', 'quiet', '-count_packets', '-select_streams', 'v:0', '-of', 'csv=p=0'];
    const counted = await runProgram(
      'ffprobe',
      [...count, '-show_entries', 'stream=nb_read_packets', playlist],
      60_000,
    );
    const packets = Number.parseInt(counted.output, 10);
    expect(packets).toBe(await storedFrames());
    const frames = await decode();
    // FFmpeg 5.1 reads all, and marks half a second behind each discontinuity, where time stamps go back, as not to be shown.
    expect(frames).toBeGreaterThanOrEqual(packets - 3 * 15);
  });

  it('is played to its end by VLC, and from the middle', async () => {
    const seen = await seenByProxy(async (url) => {
      await runProgram('cvlc', [...SILENT_VLC, `${url}${new URL(playlist).pathname}`, 'vlc://quit'], 120_000);
    });
    expect(segmentsOf(seen)).toEqual(present);
    const middle = await seenByProxy(async (url) => {
      const args = [...SILENT_VLC, '--start-time=12', `${url}${new URL(playlist).pathname}`, 'vlc://quit'];
      await runProgram('cvlc', args, 120_000);
    });
    expect(segmentsOf(middle).at(-1)).toBe(present.at(-1));
    expect(segmentsOf(middle).length).toBeLessThan(present.length - 3);
  });

  /** Pictures in the segments that are there, counted epoch by epoch without a playlist. */
  async function storedFrames(): Promise<number> {
    let frames = 0;
    for (const epoch of new Set(present.map((uri) => uri.split('/')[0] ?? ''))) {
      const own = present.filter((uri) => uri.startsWith(`${epoch}/`));
      const names = [`${epoch}/360p/init.mp4`, ...own];
      const parts = names.map(async (name) => readFile(join(folder.recordings, STREAM, name)));
      const file = join(scratch, `${epoch}.mp4`);
      await writeFile(file, Buffer.concat(await Promise.all(parts)));
      const args = ['-v', 'error', '-count_packets', '-select_streams', 'v:0', '-of', 'csv=p=0'];
      const { output } = await runProgram(
        'ffprobe',
        [...args, '-show_entries', 'stream=nb_read_packets', file],
        30_000,
      );
      frames += Number.parseInt(output, 10);
    }
    return frames;
  }

  /** Paths that were asked for while `play` ran, in order; all of them were answered 200. */
  async function seenByProxy(play: (origin: string) => Promise<void>): Promise<readonly string[]> {
    const paths: string[] = [];
    const proxy = createServer((request, response) => {
      const path = request.url ?? '';
      const headers = { 'user-agent': request.headers['user-agent'] ?? '' };
      const pass = async (): Promise<void> => {
        const reply = await fetch(new URL(path, playlist), { headers });
        if (reply.status === 200) paths.push(path);
        response.writeHead(reply.status, { 'content-type': reply.headers.get('content-type') ?? '' });
        response.end(Buffer.from(await reply.arrayBuffer()));
      };
      pass().catch(() => response.destroy());
    });
    await new Promise<void>((resolve) => proxy.listen(0, '127.0.0.1', resolve));
    await play(`http://127.0.0.1:${(proxy.address() as AddressInfo).port}`);
    proxy.closeAllConnections();
    await new Promise((resolve) => proxy.close(resolve));
    return paths;
  }

  /** Segments of the rendition, each once, as `present` has them. */
  function segmentsOf(paths: readonly string[]): readonly string[] {
    const own = paths
      .filter((path) => !path.endsWith('?gap=1'))
      .map((path) =>
        path
          .replace('?init=1', '')
          .slice(`/${STREAM}/`.length)
          .replace(/\/[0-9]+p\//, '/360p/'),
      );
    return [...new Set(own)].filter((path) => path.endsWith('.m4s'));
  }
});
