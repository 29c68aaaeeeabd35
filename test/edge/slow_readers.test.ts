/**
 * Viewers who take almost nothing of a large object, who leave in the middle of it, or who ask for its head thousands of
 * times, against the edge on Node: they are cut off, and leave neither sockets nor memory behind.
 */
import { readFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { needsFull } from '../layers/needs_full.ts';
import { startEdgeBench } from './edge_bench.ts';
import type { EdgeBench } from './edge_bench.ts';
import { RENDITION } from './live_fixture.ts';
import { abortMidBody } from './raw_request.ts';

/** More than the buffers of a loopback connection hold. */
const PART_BYTES = 8_000_000;
const SEGMENT_BYTES = 4 * PART_BYTES;
const READERS = 10;
const WATCHED_MS = 58_000;

/** Takes a byte a second for `WATCHED_MS`, then all there is. @returns how many bytes came before the end */
async function readSlowly(port: number, target: string): Promise<number> {
  return new Promise((resolve) => {
    let received = 0;
    const socket = connect({ port, host: '127.0.0.1' }, () => {
      socket.write(`GET ${target} HTTP/1.1\r\nHost: x\r\n\r\n`);
    });
    socket.pause();
    const sip = setInterval(() => {
      received += (socket.read(1) as Buffer | null)?.length ?? 0;
    }, 1000);
    setTimeout(() => {
      clearInterval(sip);
      socket.on('data', (chunk) => (received += chunk.length));
      socket.resume();
    }, WATCHED_MS);
    socket.on('error', () => undefined);
    socket.on('close', () => resolve(received));
  });
}

describe('the edge on Node', () => {
  let bench: EdgeBench;
  let segment = '';
  const metric = async (name: string): Promise<number> => {
    const text = await (await fetch(`http://127.0.0.1:${bench.edge.metricsPort}/metrics`)).text();
    return Number(new RegExp(`^headwater_edge_${name} (\\d+)$`, 'm').exec(text)?.[1]);
  };
  const residentMiB = async (): Promise<number> => {
    const status = await readFile(`/proc/${bench.edge.child.pid}/status`, 'utf8');
    return Number(/^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1]) / 1024;
  };

  beforeAll(async () => {
    bench = await startEdgeBench('node', { partBytes: PART_BYTES });
    segment = `/demo/${bench.fixture.epoch}/${RENDITION}/101.m4s`;
  });
  afterAll(async () => bench.stop());

  it('keeps nothing of 200 aborted downloads and 3,000 HEADs of a large object', async () => {
    expect((await (await bench.get(segment)).arrayBuffer()).byteLength).toBe(SEGMENT_BYTES);
    const before = await residentMiB();
    for (let round = 0; round < 20; round += 1) {
      await Promise.all(Array.from({ length: 10 }, async () => abortMidBody(bench.edge.port, segment)));
      const heads = await Promise.all(Array.from({ length: 150 }, async () => bench.get(segment, { method: 'HEAD' })));
      expect(heads.filter(({ headers }) => headers.get('content-length') !== String(SEGMENT_BYTES))).toEqual([]);
    }
    expect(bench.fixture.calls.filter((call) => call === 'segment 101')).toHaveLength(1);
    expect(await metric('upstream_sockets')).toBeLessThanOrEqual(2);
    expect(await metric('internal_errors_total')).toBe(0);
    expect((await residentMiB()) - before).toBeLessThan(64);
  });

  it('cuts off slow readers within 60 s, and serves the others meanwhile', { timeout: 90_000 }, async (context) => {
    needsFull(context);
    const slow = Promise.all(Array.from({ length: READERS }, async () => readSlowly(bench.edge.port, segment)));
    const before = await residentMiB();
    for (let count = 0; count < 5; count += 1) {
      expect((await (await bench.get(segment)).arrayBuffer()).byteLength).toBe(SEGMENT_BYTES);
    }
    expect((await residentMiB()) - before).toBeLessThan(64);
    for (const received of await slow) expect(received).toBeLessThan(SEGMENT_BYTES);
    expect((await bench.get('/livez')).status).toBe(200);
  });
});
