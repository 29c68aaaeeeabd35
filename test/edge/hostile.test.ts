/**
 * Paths, bytes and tempers that no player has, against the edge on Node (FAULTS row 39).
 */
import { connect } from 'node:net';
import type { Socket } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { reportFault, seconds } from '../faults/fault_report.ts';
import { startEdgeBench } from './edge_bench.ts';
import type { EdgeBench } from './edge_bench.ts';
import { sendRaw, statusOf } from './raw_request.ts';

const TARGETS = [
  '//',
  '//demo/live.m3u8',
  '/demo//live.m3u8',
  '/demo/live.m3u8/',
  '/./demo/live.m3u8',
  '/demo/./live.m3u8',
  '/demo/x/../live.m3u8',
  '/../demo/live.m3u8',
  '/demo/../../etc/passwd',
  '/..',
  '/watch/../demo/live.m3u8',
  '/watch/assets/../../demo/live.m3u8',
  '/%64emo/live.m3u8',
  '/demo%2flive.m3u8',
  '/demo%2Flive.m3u8',
  '/demo/%2e%2e/demo/live.m3u8',
  '/demo/.%2e/demo/live.m3u8',
  '/%2e%2e/%2e%2e/etc/passwd',
  '/%252e%252e/demo/live.m3u8',
  '/demo/live.m3u8%00',
  '/demo/live.m3u8%0d%0aset-cookie:x',
  '/demo\\live.m3u8',
  '/demo\\..\\live.m3u8',
  '/demo/live.m3u8;x=1',
  '/demo/LIVE.m3u8',
  '/DEMO/live.m3u8',
  '/demo/live.m3u',
  '/demo/live.m3u8.bak',
  '/demo/.git/config',
  '/.env',
  '/demo/0/720p/101.m4s',
  '/demo/-1/720p/101.m4s',
  '/demo/1e12/720p/101.m4s',
  '/demo/01700000000000/720p/101.m4s',
  '/demo/1700000000000/720p/0101.m4s',
  '/demo/1700000000000/720p/101.00.m4s',
  '/demo/1700000000000/720p/101.-1.m4s',
  '/demo/1700000000000/720p/99999999999999999999.m4s',
  '/demo/99999999999999999999/720p/101.m4s',
  '/demo/1700000000000/720p/../720p/101.m4s',
  '/demo/1700000000000//101.m4s',
  '/api/live.m3u8',
  '/admin/live.m3u8',
  '/metrics',
  '/metrics/',
  '/demo/720p%20/index.m3u8',
  `/${'a'.repeat(65)}/live.m3u8`,
  `/${'a'.repeat(8000)}`,
  '/demo/vod-../live.m3u8',
  'http://169.254.169.254/latest/meta-data',
  'http://evil/demo/../live.m3u8',
  'demo/live.m3u8',
];

/** One byte a second. */
const drip = (socket: Socket): NodeJS.Timeout => setInterval(() => socket.write('x'), 1000);

describe('the edge on Node against', () => {
  let bench: EdgeBench;

  beforeAll(async () => {
    bench = await startEdgeBench('node');
  });
  afterAll(async () => bench.stop());

  it(`${TARGETS.length} odd paths: 4xx, and nothing upstream hears of them`, async () => {
    for (const target of TARGETS) {
      const status = await statusOf(bench.edge.port, target);
      expect([target, status >= 400 && status < 500], `${status}`).toEqual([target, true]);
    }
    expect(bench.fixture.calls).toEqual([]);
    expect(bench.resolver.asked).toBe(0);
  });

  it.each([
    ['an unknown method', 'BREW / HTTP/1.1\r\nHost: x\r\n\r\n', 400],
    ['a method of another trade', 'PROPFIND / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n', 405],
    ['TRACE', 'TRACE /demo/live.m3u8 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n', 405],
    ['no Host', 'GET /demo/live.m3u8 HTTP/1.1\r\nConnection: close\r\n\r\n', 400],
    ['an absurd Host', 'GET /demo/live.m3u8 HTTP/1.1\r\nHost: a b\\c\r\nConnection: close\r\n\r\n', 400],
    ['a Host that is a path', 'GET /live.m3u8 HTTP/1.1\r\nHost: x/demo\r\nConnection: close\r\n\r\n', 400],
    ['two lengths', 'POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n', 400],
    [
      'a length and chunks',
      'POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n',
      400,
    ],
    ['100 KB of headers', `GET / HTTP/1.1\r\nHost: x\r\nX: ${'y'.repeat(100_000)}\r\n\r\n`, 431],
    ['a TLS hello', '\u0016\u0003\u0001\u0002\u0000\u0001\r\n\r\n', 400],
    ['OPTIONS *', 'OPTIONS * HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n', 400],
  ])('%s: a plain refusal', async (_, bytes, status) => {
    const text = await sendRaw(bench.edge.port, bytes);
    expect(text).toMatch(new RegExp(`^HTTP/1\\.1 ${status} `));
    expect(text.toLowerCase()).toContain('cache-control: no-store');
    expect(text.toLowerCase()).toContain('access-control-allow-origin: *');
    expect(text).not.toMatch(/node_modules|\.ts:|Error:/);
  });

  it('slow writers: closed within 60 s, while others are served', { timeout: 70_000 }, async () => {
    const startMs = performance.now();
    const closings = ['', 'GET /demo/live.m3u8 HTTP/1.1\r\nHost: x\r\nX-Slow: '].map(
      async (opening) =>
        new Promise<number>((resolve) => {
          const socket = connect(bench.edge.port, '127.0.0.1', () => socket.write(opening));
          const timer = opening === '' ? undefined : drip(socket);
          socket.on('error', () => undefined);
          socket.resume();
          socket.on('close', () => {
            clearInterval(timer);
            resolve(performance.now() - startMs);
          });
        }),
    );
    expect((await bench.get('/demo/live.m3u8')).status).toBe(200);
    const slowest = Math.max(...(await Promise.all(closings)));
    expect(slowest).toBeLessThan(60_000);
    expect((await bench.get('/demo/live.m3u8')).status).toBe(200);
    await reportFault({
      row: '39',
      measured: `4xx for ${TARGETS.length} paths, nothing upstream; slow writers closed after ${seconds(slowest)}`,
    });
  });
});
