/**
 * Many viewers, one upstream request: on a cold edge, part by part, and whatever viewers do to their connections.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { eventually, startEdgeBench } from './edge_bench.ts';
import type { EdgeBench } from './edge_bench.ts';
import { RENDITION } from './live_fixture.ts';
import { abortMidBody } from './raw_request.ts';

const VIEWERS = 200;

describe('a herd of viewers on Node', () => {
  let bench: EdgeBench;
  const media = (name: string): string => `/demo/${bench.fixture.epoch}/${RENDITION}/${name}`;
  const callsTo = (call: string): number => bench.fixture.calls.filter((made) => made === call).length;
  const sockets = async (): Promise<number> => {
    const text = await (await fetch(`http://127.0.0.1:${bench.edge.metricsPort}/metrics`)).text();
    return Number(/^headwater_edge_upstream_sockets (\d+)$/m.exec(text)?.[1]);
  };

  beforeAll(async () => {
    bench = await startEdgeBench('node', { partBytes: 250_000 });
  });
  afterAll(async () => bench.stop());

  it('on a cold edge costs one request for each object', async () => {
    const path = media('101.m4s');
    const lengths = await Promise.all(
      Array.from({ length: VIEWERS }, async () => (await (await bench.get(path)).arrayBuffer()).byteLength),
    );
    expect(new Set(lengths)).toEqual(new Set([1_000_000]));
    expect(callsTo('segment 101')).toBe(1);
    expect(bench.resolver.asked).toBe(1);
  });

  it('that waits part by part costs one playlist and one part each', async () => {
    for (let step = 0; step < 6; step += 1) {
      const { msn, parts } = bench.fixture.position;
      const waiting = Array.from({ length: VIEWERS }, async () => {
        const playlist = await bench.get(`/demo/${RENDITION}/index.m3u8?_HLS_msn=${msn}&_HLS_part=${parts}`);
        const part = await bench.get(media(`${msn}.${parts}.m4s`));
        return [playlist.status, part.status, (await part.arrayBuffer()).byteLength];
      });
      await eventually('the herd waits', () => bench.fixture.waiting === 1);
      bench.fixture.advance();
      for (const viewer of await Promise.all(waiting)) expect(viewer).toEqual([200, 200, 250_000]);
      expect(callsTo(`playlist {"skip":false,"msn":${msn},"part":${parts}}`)).toBe(1);
      expect(callsTo(`part ${msn}.${parts}`)).toBe(1);
    }
  });

  it('that leaves mid-body or asks HEAD 2,000 times leaves no socket upstream behind', async () => {
    const before = await sockets();
    for (let round = 0; round < 20; round += 1) {
      await Promise.all(Array.from({ length: 10 }, async () => abortMidBody(bench.edge.port, media('101.m4s'))));
      await Promise.all(
        Array.from({ length: 100 }, async () => bench.get(media(`${102 - (round % 2)}.m4s`), { method: 'HEAD' })),
      );
    }
    expect((await bench.get(media('101.m4s'))).status).toBe(200);
    expect(await sockets()).toBeLessThanOrEqual(before + 2);
    expect(callsTo('segment 101') + callsTo('segment 102')).toBe(2);
  });
});
