/**
 * Many viewers, one upstream request: on a cold edge, part by part, and whatever viewers do to their connections.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { reportFault } from '../faults/fault_report.ts';
import { eventually } from '../one_machine/eventually.ts';
import { startEdgeBench } from './edge_bench.ts';
import type { EdgeBench } from './edge_bench.ts';
import { RENDITION } from './live_fixture.ts';
import { Poller } from './poller.ts';
import { abortMidBody } from './raw_request.ts';

const VIEWERS = 200;
/** FAULTS row 38. */
const COLD_VIEWERS = 1000;
const POLLERS = 500;
const PART_BYTES = 25_000;

describe('a herd of viewers on Node', () => {
  let bench: EdgeBench;
  const media = (name: string): string => `/demo/${bench.fixture.epoch}/${RENDITION}/${name}`;
  const callsTo = (call: string): number => bench.fixture.calls.filter((made) => made === call).length;
  const sockets = async (): Promise<number> => {
    const text = await (await fetch(`http://127.0.0.1:${bench.edge.metricsPort}/metrics`)).text();
    return Number(/^headwater_edge_upstream_sockets (\d+)$/m.exec(text)?.[1]);
  };

  beforeAll(async () => {
    bench = await startEdgeBench('node', { partBytes: PART_BYTES });
  });
  afterAll(async () => bench.stop());

  it('on a cold edge costs one request for each object (FAULTS row 38)', async () => {
    const pollers = Array.from({ length: COLD_VIEWERS }, () => new Poller(bench.edge.port));
    const fromAll = (path: string) => Promise.all(pollers.map((poller) => poller.get(path)));
    const fromMs = performance.now();
    const [playlists, inits, segments] = [
      await fromAll('/demo/live.m3u8'),
      await fromAll(media('init.mp4')),
      await fromAll(media('101.m4s')),
    ];
    const tookMs = performance.now() - fromMs;
    for (const poller of pollers) poller.close();
    const replies = [...playlists, ...inits, ...segments];
    expect(replies.filter(({ status }) => status !== 200)).toEqual([]);
    expect(new Set(segments.map(({ length }) => length))).toEqual(new Set([4 * PART_BYTES]));
    const calls = [callsTo('init'), callsTo('segment 101')];
    expect(calls).toEqual([1, 1]);
    // These are good for a second: when the herd takes longer to be answered, they are asked for again.
    const most = 1 + Math.floor(tookMs / 1000);
    expect(callsTo('multivariant')).toBeLessThanOrEqual(most);
    expect(bench.resolver.asked).toBeLessThanOrEqual(most);
    await reportFault({
      row: '38',
      measured: `${Math.max(...calls)} for each of ${calls.length} objects, ${COLD_VIEWERS} viewers`,
    });
  });

  it('that waits part by part costs one playlist and one part each', async () => {
    for (let step = 0; step < 6; step += 1) {
      const { msn, parts } = bench.fixture.position;
      const waiting = Array.from({ length: VIEWERS }, async () => {
        const playlist = await bench.get(`/demo/${RENDITION}/index.m3u8?_HLS_msn=${msn}&_HLS_part=${parts}`);
        const part = await bench.get(media(`${msn}.${parts}.m4s`));
        return [playlist.status, part.status, (await part.arrayBuffer()).byteLength];
      });
      await eventually('the herd waits', 20_000, () => bench.fixture.waiting === 1);
      bench.fixture.advance();
      for (const viewer of await Promise.all(waiting)) expect(viewer).toEqual([200, 200, PART_BYTES]);
      expect(callsTo(`playlist {"skip":false,"msn":${msn},"part":${parts}}`)).toBe(1);
      expect(callsTo(`part ${msn}.${parts}`)).toBe(1);
    }
  });

  it('of 500 low-latency pollers for ten seconds costs one request for each part', async () => {
    const pollers = Array.from({ length: POLLERS }, () => new Poller(bench.edge.port));
    const start = bench.fixture.position;
    const asked = bench.fixture.calls.length;
    const endMs = performance.now() + 10_000;
    const publishing = setInterval(() => bench.fixture.advance(), 500);
    let parts = 0;
    await Promise.all(
      pollers.map(async (poller) => {
        let { msn, parts: part } = start;
        while (performance.now() < endMs) {
          const playlist = await poller.get(`/demo/${RENDITION}/index.m3u8?_HLS_msn=${msn}&_HLS_part=${part}`);
          const segment = await poller.get(media(`${msn}.${part}.m4s`));
          expect([playlist.status, segment.status, segment.length]).toEqual([200, 200, PART_BYTES]);
          parts += 1;
          [msn, part] = part === 3 ? [msn + 1, 0] : [msn, part + 1];
        }
      }),
    );
    clearInterval(publishing);
    for (const poller of pollers) poller.close();
    const calls = bench.fixture.calls.slice(asked);
    expect(parts).toBeGreaterThan(POLLERS * 15);
    // One part and one playlist for each of the twenty, and never the same one twice.
    expect(new Set(calls).size).toBe(calls.length);
    expect(calls.length).toBeLessThanOrEqual(44);
  });

  it('that leaves mid-body or asks HEAD 2,000 times leaves no socket upstream behind (FAULTS row 40)', async () => {
    const before = await sockets();
    const { msn } = bench.fixture.position;
    const segment = (back: number): string => media(`${msn - back}.m4s`);
    for (let round = 0; round < 20; round += 1) {
      await Promise.all(Array.from({ length: 10 }, async () => abortMidBody(bench.edge.port, segment(1))));
      await Promise.all(
        Array.from({ length: 100 }, async () => bench.get(segment(1 + (round % 2)), { method: 'HEAD' })),
      );
    }
    expect((await bench.get(segment(1))).status).toBe(200);
    const left = (await sockets()) - before;
    expect(left).toBeLessThanOrEqual(2);
    expect(callsTo(`segment ${msn - 1}`) + callsTo(`segment ${msn - 2}`)).toBe(2);
    await reportFault({
      row: '40',
      measured: `${Math.max(0, left)} upstream sockets more after 200 aborts and 2,000 HEADs`,
    });
  });
});
