/**
 * A broadcast from FFmpeg as viewers get it from the edge: playlists that an independent parser reads, the same
 * boundaries in all renditions, media that decodes, and HTTP as players and CDNs want it.
 */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as HLS from 'hls-parser';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { CheckingViewer } from './checking_viewer.ts';
import { decodeMedia } from './epoch_decoder.ts';
import type { DecodedTrack } from './epoch_decoder.ts';
import { eventually } from './eventually.ts';
import { publishWithFfmpeg } from './ffmpeg_publisher.ts';
import type { FfmpegPublisher } from './ffmpeg_publisher.ts';
import { startMachine } from './machine_process.ts';
import type { MachineProcess } from './machine_process.ts';

const KEYS = { small: 'key-of-the-small-one', large: 'key-of-the-large-one', encoded: 'key-of-the-encoded-one' };
const SEGMENTS = 4;

interface Broadcast {
  readonly title: string;
  readonly streamId: keyof typeof KEYS;
  readonly size: string;
  readonly rate: number;
  /** From the lowest. */
  readonly renditions: readonly string[];
}

/** Low frame rates: the encoders of three broadcasts and their sources share one small machine. */
const BROADCASTS: readonly Broadcast[] = [
  { title: '640x360, passed through', streamId: 'small', size: '640x360', rate: 30, renditions: ['360p'] },
  {
    title: '1280x720, the top passed through',
    streamId: 'large',
    size: '1280x720',
    rate: 15,
    renditions: ['360p', '480p', '720p'],
  },
  { title: '854x480, all encoded', streamId: 'encoded', size: '854x480', rate: 15, renditions: ['360p', '480p'] },
];

let copying: MachineProcess;
let encoding: MachineProcess;
const publishers: FfmpegPublisher[] = [];
const viewers = new Map<string, CheckingViewer>();
const multivariants = new Map<string, string>();
const startupMs = new Map<string, number>();

function originOf(streamId: string): string {
  return `http://127.0.0.1:${(streamId === 'encoded' ? encoding : copying).ports.edge}`;
}

function viewerOf({ streamId }: Broadcast, rendition: string): CheckingViewer {
  const viewer = viewers.get(`${streamId}/${rendition}`);
  if (viewer === undefined) throw new Error(`nobody watches ${streamId}/${rendition}`);
  return viewer;
}

async function broadcast({ streamId, size, rate, renditions }: Broadcast): Promise<void> {
  const machine = streamId === 'encoded' ? encoding : copying;
  const url = `rtmp://127.0.0.1:${machine.ports.rtmp}/stream/${KEYS[streamId]}`;
  publishers.push(publishWithFfmpeg(url, { size, rate, gopSeconds: 2, videoBitrate: 500_000 }));
  await eventually(`${streamId} is accepted`, 20_000, () =>
    machine
      .log()
      .split('\n')
      .some((line) => line.includes(`"${streamId}"`) && line.includes('publisher accepted')),
  );
  const acceptedAtMs = performance.now();
  const playlist = await eventually(`${streamId} is playable`, 20_000, async () => {
    const reply = await fetch(`${originOf(streamId)}/${streamId}/live.m3u8`);
    const body = await reply.text();
    return reply.status === 200 && body;
  });
  startupMs.set(streamId, performance.now() - acceptedAtMs);
  multivariants.set(streamId, playlist);
  const following = renditions.map((rendition) => {
    const viewer = CheckingViewer.follow({ origin: originOf(streamId), streamId, rendition });
    viewers.set(`${streamId}/${rendition}`, viewer);
    return viewer.waitForSegments(SEGMENTS + 1, 40_000);
  });
  await Promise.all(following);
}

beforeAll(async () => {
  const keys = Object.entries(KEYS).map(([streamId, key]) => `${streamId}=${key}`);
  [copying, encoding] = await Promise.all([
    startMachine({ HW_STREAM_KEYS: keys.join(',') }),
    startMachine({ HW_STREAM_KEYS: keys.join(','), HW_TOP_RENDITION: 'encode' }),
  ]);
  await Promise.all(BROADCASTS.map(broadcast));
});

afterAll(async () => {
  await Promise.all([...viewers.values()].map((viewer) => viewer.stop()));
  await Promise.all(publishers.map((publisher) => publisher.stop()));
  await Promise.all([copying.stop(), encoding.stop()]);
});

describe.each(BROADCASTS)('$title', (what) => {
  const { streamId, renditions, rate, size } = what;

  test('is playable within seconds', () => {
    expect(startupMs.get(streamId)).toBeLessThan(8000);
  });

  test('breaks no rule', async () => {
    for (const rendition of renditions) {
      const viewer = viewerOf(what, rendition);
      await viewer.stop();
      expect({ rendition, violations: viewer.violations }).toEqual({ rendition, violations: [] });
    }
  });

  test('has the same boundaries in all renditions', () => {
    const [first, ...others] = renditions.map((rendition) => {
      const segments = viewerOf(what, rendition).wholeSegments;
      return new Map(segments.map(({ msn, duration, programDateTimeMs }) => [msn, { duration, programDateTimeMs }]));
    });
    for (const other of others) {
      const common = [...other.keys()].filter((msn) => first?.has(msn) === true);
      expect(common.length).toBeGreaterThanOrEqual(SEGMENTS - 1);
      for (const msn of common) expect({ msn, ...other.get(msn) }).toEqual({ msn, ...first?.get(msn) });
    }
  });

  test('says in its multivariant playlist what is true', async () => {
    const playlist = HLS.parse(multivariants.get(streamId) ?? '') as HLS.types.MasterPlaylist;
    const variants = playlist.variants.toSorted((one, other) => one.bandwidth - other.bandwidth);
    expect(variants.map(({ uri }) => uri.split('/').at(-2))).toEqual(renditions);
    for (const [index, variant] of variants.entries()) {
      const viewer = viewerOf(what, renditions[index] ?? '');
      const media = await mediaOf(viewer);
      const probed = probe(media);
      expect(variant.codecs).toBe(`avc1.${probed.profile}${probed.level},mp4a.40.2`);
      expect(variant.resolution).toEqual({ width: probed.width, height: probed.height });
      expect(variant.frameRate).toBe(rate);
      expect(probed.frameRate).toBe(rate);
      for (const segment of viewer.wholeSegments) {
        const bytes = await viewer.mediaOf(segment);
        if (bytes === undefined || segment.duration === undefined) continue;
        expect((bytes.length * 8) / segment.duration).toBeLessThanOrEqual(variant.bandwidth);
      }
    }
    const [width, height] = size.split('x').map(Number);
    expect(variants.at(-1)?.resolution).toEqual({ width, height });
  });

  test('decodes without a complaint, picture and sound in step, without a hole', async () => {
    for (const rendition of renditions) {
      const { tracks, complaints } = await decodeMedia(await mediaOf(viewerOf(what, rendition)));
      expect(complaints).toBe('');
      const video = tracks.find(({ kind }) => kind === 'video');
      const audio = tracks.find(({ kind }) => kind === 'audio');
      expect(Math.abs((video?.times[0] ?? 0) - (audio?.times[0] ?? Infinity))).toBeLessThan(0.05);
      expect({ rendition, holes: holes(video, 1.5 / rate) }).toEqual({ rendition, holes: [] });
      expect({ rendition, holes: holes(audio, 0.03) }).toEqual({ rendition, holes: [] });
      expect(Math.abs(endOf(video) - endOf(audio))).toBeLessThan(0.1);
    }
  });
});

describe('over HTTP', () => {
  const base = (): string => `${originOf('small')}/small`;
  const media = (): string => `${base()}/360p/index.m3u8`;

  async function newest(): Promise<HLS.types.MediaPlaylist> {
    return HLS.parse(await (await fetch(media())).text()) as HLS.types.MediaPlaylist;
  }

  async function aSegment(): Promise<{ readonly segment: string; readonly part: string; readonly init: string }> {
    const { segments } = await newest();
    const segment = segments.findLast(({ uri, parts }) => uri !== '' && parts.length > 0);
    const absolute = (uri: string | undefined): string => new URL(uri ?? '', media()).href;
    return {
      segment: absolute(segment?.uri),
      part: absolute(segment?.parts[0]?.uri),
      init: absolute(segment?.map.uri),
    };
  }

  test('a blocking reload waits for the part that it asks for', async () => {
    const before = await newest();
    const last = before.segments.at(-1)?.mediaSequenceNumber ?? 0;
    const reply = await fetch(`${media()}?_HLS_msn=${last + 1}&_HLS_part=0`);
    expect(reply.status).toBe(200);
    const after = HLS.parse(await reply.text()) as HLS.types.MediaPlaylist;
    const wanted = after.segments.find((segment) => segment.mediaSequenceNumber === last + 1);
    expect(wanted?.parts.filter((part) => !part.hint).length).toBeGreaterThan(0);
    expect(reply.headers.get('cache-control')).toBe('public, max-age=12');
  });

  test('a reload far ahead is refused', async () => {
    const last = (await newest()).segments.at(-1)?.mediaSequenceNumber ?? 0;
    const reply = await fetch(`${media()}?_HLS_msn=${last + 20}`);
    expect(reply.status).toBe(400);
    expect(reply.headers.get('content-type')).toBe('application/problem+json');
  });

  test('a delta update and what was there before make up the whole', async () => {
    // Something can be skipped once there are more than six target durations.
    const { delta, full } = await eventually('a playlist that is long enough to skip from', 30_000, async () => {
      const last = (await newest()).segments.at(-1)?.mediaSequenceNumber ?? 0;
      const [one, other] = await Promise.all([
        fetch(`${media()}?_HLS_msn=${last}&_HLS_skip=YES`).then((reply) => reply.text()),
        fetch(`${media()}?_HLS_msn=${last}`).then((reply) => reply.text()),
      ]);
      return one.includes('EXT-X-SKIP') && lastPartOf(one) === lastPartOf(other) && { delta: one, full: other };
    });
    const short = HLS.parse(delta) as HLS.types.MediaPlaylist;
    const whole = HLS.parse(full) as HLS.types.MediaPlaylist;
    const listed = (playlist: HLS.types.MediaPlaylist) =>
      playlist.segments.map(({ mediaSequenceNumber, uri, duration, parts }) => ({
        mediaSequenceNumber,
        uri,
        duration,
        parts: parts.map((part) => part.uri),
      }));
    expect(short.skip).toBeGreaterThan(0);
    expect([...listed(whole).slice(0, short.skip), ...listed(short)]).toEqual(listed(whole));
  });

  test('a part that is announced is waited for', async () => {
    const { segments } = await newest();
    const hint = segments.at(-1)?.parts.find((part) => part.hint);
    const reply = await fetch(new URL(hint?.uri ?? '', media()));
    expect(reply.status).toBe(200);
    expect((await reply.arrayBuffer()).byteLength).toBeGreaterThan(1000);
  });

  test('every kind of reply has CORS, its type, its cache time, and the same headers for HEAD', async () => {
    const { segment, part, init } = await aSegment();
    const forEver = 'public, max-age=1209600, immutable';
    const kinds = [
      [`${base()}/live.m3u8`, 'application/vnd.apple.mpegurl', 'public, max-age=1, stale-while-revalidate=2'],
      [media(), 'application/vnd.apple.mpegurl', 'public, max-age=1'],
      [init, 'video/mp4', forEver],
      [segment, 'video/mp4', forEver],
      [part, 'video/mp4', forEver],
      [`${base()}/poster.jpg`, 'image/jpeg', 'public, max-age=5'],
      [`${base()}/status.json`, 'application/json; charset=utf-8', 'public, max-age=1'],
    ] as const;
    for (const [url, type, cacheControl] of kinds) {
      for (const method of ['GET', 'HEAD']) {
        const reply = await fetch(url, { method });
        const body = await reply.arrayBuffer();
        expect({
          url,
          method,
          status: reply.status,
          type: reply.headers.get('content-type'),
          cacheControl: reply.headers.get('cache-control'),
          cors: reply.headers.get('access-control-allow-origin'),
          hasBody: body.byteLength > 0,
        }).toEqual({ url, method, status: 200, type, cacheControl, cors: '*', hasBody: method === 'GET' });
      }
    }
  });

  test('a preflight is answered', async () => {
    const reply = await fetch(media(), {
      method: 'OPTIONS',
      headers: { origin: 'https://example.org', 'access-control-request-headers': 'range' },
    });
    expect(reply.status).toBe(204);
    expect(reply.headers.get('access-control-allow-origin')).toBe('*');
  });

  test('ranges of a segment', async () => {
    const { segment } = await aSegment();
    const whole = Buffer.from(await (await fetch(segment)).arrayBuffer());
    const reply = await fetch(segment, { headers: { range: 'bytes=100-199' } });
    expect(reply.status).toBe(206);
    expect(reply.headers.get('content-range')).toBe(`bytes 100-199/${whole.length}`);
    expect(Buffer.from(await reply.arrayBuffer()).equals(whole.subarray(100, 200))).toBe(true);
    const beyond = await fetch(segment, { headers: { range: `bytes=${whole.length}-` } });
    await beyond.arrayBuffer();
    expect(beyond.status).toBe(416);
  });

  test('what has not changed is not sent again', async () => {
    const { segment } = await aSegment();
    const first = await fetch(segment);
    await first.arrayBuffer();
    const etag = first.headers.get('etag');
    expect(etag).toMatch(/^(W\/)?".+"$/);
    const second = await fetch(segment, { headers: { 'if-none-match': etag ?? '' } });
    expect(second.status).toBe(304);
    expect((await second.arrayBuffer()).byteLength).toBe(0);
  });

  test('playlists are compressed for those who ask', async () => {
    const zipped = await fetch(media(), { headers: { 'accept-encoding': 'gzip' } });
    expect(zipped.headers.get('content-encoding')).toBe('gzip');
    expect(zipped.headers.get('vary')?.toLowerCase()).toContain('accept-encoding');
    expect(await zipped.text()).toMatch(/^#EXTM3U\n/);
    const plain = await fetch(media(), { headers: { 'accept-encoding': 'identity' } });
    expect(plain.headers.get('content-encoding')).toBeNull();
    expect(plain.headers.get('vary')?.toLowerCase()).toContain('accept-encoding');
    expect(await plain.text()).toMatch(/^#EXTM3U\n/);
  });

  test('a stream that is not there is not found, and that is soon forgotten', async () => {
    for (const path of [
      '/nobody/live.m3u8',
      '/nobody/360p/index.m3u8',
      '/nobody/status.json',
      '/small/999p/index.m3u8',
    ]) {
      const reply = await fetch(`${originOf('small')}${path}`);
      const problem: unknown = await reply.json();
      expect({ path, status: reply.status }).toEqual({ path, status: 404 });
      expect(reply.headers.get('content-type')).toBe('application/problem+json');
      expect(reply.headers.get('access-control-allow-origin')).toBe('*');
      expect(reply.headers.get('cache-control')).toMatch(/^(public, max-age=[01]|no-store)$/);
      expect(problem).toMatchObject({ status: 404, title: 'Not Found' });
    }
  });

  test('status and poster', async () => {
    const status: unknown = await (await fetch(`${base()}/status.json`)).json();
    expect(status).toMatchObject({ streamId: 'small', live: true, state: 'live', renditions: [{ name: '360p' }] });
    const poster = Buffer.from(await (await fetch(`${base()}/poster.jpg`)).arrayBuffer());
    expect(poster.subarray(0, 3).toString('hex')).toBe('ffd8ff');
    expect(poster.subarray(-2).toString('hex')).toBe('ffd9');
  });
});

/** All that a viewer fetched of its one epoch. */
async function mediaOf(viewer: CheckingViewer): Promise<readonly Buffer[]> {
  const [epoch, ...others] = viewer.epochs;
  expect(others).toEqual([]);
  return epoch === undefined ? [] : viewer.mediaOfEpoch(epoch);
}

interface Probed {
  /** As in CODECS, hexadecimal. */
  readonly profile: string;
  readonly level: string;
  readonly width: number;
  readonly height: number;
  readonly frameRate: number;
}

/** profile_idc and constraint flags, by FFmpeg's names (ITU-T H.264 annex A.2). */
const PROFILES: Readonly<Record<string, string>> = { 'Constrained Baseline': '42c0', Main: '4d40', High: '6400' };

function probe(media: readonly Buffer[]): Probed {
  const fields = 'stream=profile,level,width,height,r_frame_rate';
  // From a file: ffprobe stops reading a pipe when it knows enough.
  const folder = mkdtempSync(join(tmpdir(), 'headwater-probe-'));
  const file = join(folder, 'media.mp4');
  writeFileSync(file, Buffer.concat(media));
  const what = ['-v', 'error', '-select_streams', 'v', '-show_entries', fields, '-of', 'json'];
  const text = execFileSync('ffprobe', [...what, file]);
  rmSync(folder, { recursive: true });
  const { streams } = JSON.parse(text.toString()) as {
    streams: { profile: string; level: number; width: number; height: number; r_frame_rate: string }[];
  };
  const [stream] = streams;
  if (stream === undefined) throw new Error('ffprobe sees no video');
  const [frames = 0, seconds = 1] = stream.r_frame_rate.split('/').map(Number);
  return {
    profile: PROFILES[stream.profile] ?? stream.profile,
    level: stream.level.toString(16).padStart(2, '0'),
    width: stream.width,
    height: stream.height,
    frameRate: frames / seconds,
  };
}

/** Frames that stand longer than `longest` s before the next one, in words. */
function holes(track: DecodedTrack | undefined, longest: number): readonly string[] {
  const times = track?.times ?? [];
  expect(times.length).toBeGreaterThan(50);
  return times.flatMap((time, index) => {
    const before = times[index - 1] ?? time;
    return time - before > longest ? [`from ${before} s to ${time} s`] : [];
  });
}

function endOf(track: DecodedTrack | undefined): number {
  return (track?.times.at(-1) ?? 0) + (track?.lastDuration ?? 0);
}

function lastPartOf(playlist: string): string | undefined {
  return playlist.match(/EXT-X-PRELOAD-HINT.*/)?.[0];
}
