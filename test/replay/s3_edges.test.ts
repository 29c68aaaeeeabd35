/**
 * The edge on each of its runtimes answers recordings from a real S3: during the show, after it, in clips, with ranges,
 * under the recording's own policy. Only where there is an S3: the full layer starts one.
 */
import { createServer } from 'node:http';
import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { SignJWT } from 'jose';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { recordingKey } from '../../contracts/recording.ts';
import type { RecordingStore } from '../../contracts/recording_store.ts';
import { createFinalizeVod } from '../../functions/finalize_vod.ts';
import { mapLimited } from '../../functions/finalize_vod/map_limited.ts';
import { MemoryStore } from '../../functions/finalize_vod/testing/memory_store.ts';
import { putRecording, SESSION, STREAM } from '../../functions/finalize_vod/testing/synthetic_recording.ts';
import { createS3Store } from '../../storage/s3_store.ts';
import { startEdgeProcess } from '../edge/edge_process.ts';
import type { EdgeProcess, Runtime } from '../edge/edge_process.ts';
import { hasS3, startS3 } from '../recording/s3_under_test.ts';
import type { S3UnderTest } from '../recording/s3_under_test.ts';

const SECRET = 'a-playback-secret-of-the-replay-tests';
const OPTIONS = { contentType: 'video/mp4', cacheControl: 'no-store' };
const VOD = `/${STREAM}/vod-${SESSION}`;
/** The promise for a clip, ms. */
const CLIP_MS = 100;

describe.skipIf(!hasS3)('recordings in S3 (needs script/test --full)', () => {
  let s3: S3UnderTest;
  let store: RecordingStore;
  let resolver: Server;
  let token: string;

  beforeAll(async () => {
    s3 = await startS3();
    for (const [name, value] of Object.entries(s3.env)) process.env[name] = value;
    store = createS3Store({ bucket: s3.bucket, prefix: 'live/', endpoint: s3.endpoint });
    token = await new SignJWT({ sub: STREAM })
      .setProtectedHeader({ alg: 'HS256', kid: 'test' })
      .setExpirationTime('1h')
      .sign(new TextEncoder().encode(SECRET));
    // A registry that has forgotten the stream.
    resolver = createServer((_, response) => response.writeHead(404).end());
    await new Promise<void>((resolve) => resolver.listen(0, '127.0.0.1', resolve));
  });

  afterAll(async () => {
    store.close();
    resolver.close();
    await s3.stop();
  });

  /** Two hours: 7,200 segments would take minutes to put; twenty minutes have a roll-up's worth of indexes, too. */
  async function putShow(): Promise<void> {
    const memory = new MemoryStore();
    putRecording(memory, [
      { epoch: 7, firstMsn: 100, segments: 100 },
      { epoch: 9, firstMsn: 200, segments: 50 },
    ]);
    await mapLimited([...memory.objects], 32, ([key, { body }]) => store.put(key, [body], OPTIONS));
    await store.delete([recordingKey.summary(STREAM, SESSION)]);
  }

  const start = async (runtime: Runtime): Promise<EdgeProcess> =>
    startEdgeProcess(runtime, {
      ...s3.env,
      HW_RECORDING_STORE: `s3://${s3.bucket}/live`,
      HW_RESOLVE_URL: `http://127.0.0.1:${(resolver.address() as AddressInfo).port}`,
      HW_PLAYBACK_KEYS: `test=${SECRET}`,
    });

  describe.each<Runtime>(['node', 'deno', 'worker'])('on %s', (runtime) => {
    let edge: EdgeProcess;
    const get = async (path: string, headers: Record<string, string> = {}): Promise<Response> =>
      fetch(`${edge.url}${path}`, { headers: { authorization: `Bearer ${token}`, ...headers } });

    beforeAll(async () => {
      await putShow();
      edge = await start(runtime);
    });
    afterAll(async () => edge.stop());

    it('grows during the show, is final after it, and is cut at any time', async () => {
      const during = await (await get(`${VOD}/480p.m3u8`)).text();
      expect(during).toContain('#EXT-X-PLAYLIST-TYPE:EVENT\n');
      expect(during.match(/#EXTINF/g)).toHaveLength(150);
      const clip = await get(`${VOD}/480p.m3u8?start=198&end=204`);
      expect((await clip.text()).match(/[^/]+\.m4s/g)).toEqual(['199.m4s', '200.m4s', '201.m4s']);
      expect((await get(`${VOD}.m3u8?start=9&end=3`)).status).toBe(400);
      const finalize = createFinalizeVod({ store, announce: () => Promise.resolve(), log: () => undefined });
      await finalize({ streamId: STREAM, sessionId: SESSION });
      await expect
        .poll(async () => (await get(`${VOD}/480p.m3u8`)).text(), { timeout: 10_000 })
        .toMatch(/PLAYLIST-TYPE:VOD\n[^]*#EXT-X-ENDLIST\n$/);
      const startedMs = performance.now();
      expect((await get(`${VOD}/720p.m3u8?start=10&end=20`)).status).toBe(200);
      const cold = performance.now() - startedMs;
      const again = performance.now();
      expect((await get(`${VOD}/720p.m3u8?start=40&end=60`)).status).toBe(200);
      console.log(`${runtime}: a clip cold ${Math.round(cold)} ms, then ${Math.round(performance.now() - again)} ms`);
      expect(performance.now() - again).toBeLessThan(CLIP_MS);
    });

    it('gives media with ranges, immutable, and says that a gap is none', async () => {
      const whole = await get(`/${STREAM}/7/360p/100.m4s`);
      expect([whole.status, whole.headers.get('content-type')]).toEqual([200, 'video/mp4']);
      expect(whole.headers.get('cache-control')).toContain('max-age=1209600, immutable');
      const bytes = new Uint8Array(await whole.arrayBuffer());
      const part = await get(`/${STREAM}/7/360p/100.m4s`, { range: 'bytes=4-11' });
      expect([part.status, part.headers.get('content-range')]).toEqual([206, `bytes 4-11/${bytes.length}`]);
      expect(new Uint8Array(await part.arrayBuffer())).toEqual(bytes.subarray(4, 12));
      expect((await get(`/${STREAM}/7/360p/999.m4s`)).status).toBe(404);
    });

    it('refuses whoever shows no token, and everybody when the policy cannot be read', async () => {
      for (const path of [`${VOD}.m3u8`, `${VOD}/360p.m3u8`, `/${STREAM}/9/360p/200.m4s`, `/${STREAM}/status.json`]) {
        const response = await fetch(`${edge.url}${path}`);
        expect([path, response.status, response.headers.get('cache-control')]).toEqual([path, 401, 'no-store']);
        expect((await get(path, { authorization: 'Bearer a.b.c' })).status).toBe(403);
      }
      const status = (await (await get(`/${STREAM}/status.json`)).json()) as { recordings: { url: string }[] };
      expect(status.recordings.map(({ url }) => url)).toEqual([`${VOD}.m3u8`]);
      await store.put(recordingKey.session(STREAM, SESSION), [Buffer.from('{"playback":"public"}')], OPTIONS);
      const fresh = await start(runtime);
      try {
        expect((await fetch(`${fresh.url}${VOD}.m3u8`)).status).toBe(503);
      } finally {
        await fresh.stop();
      }
    });
  });

  it('that cannot be reached are 503, and those without the right are so too', async () => {
    const edge = await startEdgeProcess('node', {
      ...s3.env,
      AWS_SECRET_ACCESS_KEY: 'wrong',
      HW_RECORDING_STORE: `s3://${s3.bucket}/live`,
      HW_RESOLVE_URL: `http://127.0.0.1:${(resolver.address() as AddressInfo).port}`,
    });
    try {
      const response = await fetch(`${edge.url}${VOD}.m3u8`);
      expect([response.status, response.headers.get('cache-control')]).toEqual([503, 'no-store']);
      expect(await response.text()).not.toMatch(/wrong|S3|Signature/);
    } finally {
      await edge.stop();
    }
  });
});
