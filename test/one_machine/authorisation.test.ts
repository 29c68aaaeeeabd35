/**
 * Who may publish: static keys and the operator's webhook, on the whole system. What is refused starts nothing, and a
 * stream key shows up nowhere.
 */
import { createServer } from 'node:http';
import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { RtmpPublisher, RtmpRefused } from '../rtmp_publisher.ts';
import { assertNoSecret } from '../secrets/assert_no_secret.ts';
import { CheckingViewer } from './checking_viewer.ts';
import { childrenOf, commandLineOf } from './child_processes.ts';
import { eventually } from './eventually.ts';
import { startMachine } from './machine_process.ts';
import type { MachineProcess } from './machine_process.ts';
import { PacedPublisher } from './paced_publisher.ts';
import { makeTestSource } from './test_source.ts';
import type { TestSource } from './test_source.ts';

let source: TestSource;

beforeAll(async () => {
  source = await makeTestSource();
});

/** What the server says to a publisher that is not let in, and how long it took, ms. */
async function refusal(options: { readonly port: number; readonly key: string }) {
  const startedAtMs = performance.now();
  const outcome = await PacedPublisher.start({ ...options, source }).catch((error: unknown) => error);
  const tookMs = performance.now() - startedAtMs;
  if (!(outcome instanceof RtmpRefused)) throw new Error('the publisher was let in', { cause: outcome });
  return { code: outcome.code, message: outcome.message, tookMs };
}

function follow(machine: MachineProcess, streamId: string): CheckingViewer {
  return CheckingViewer.follow({ origin: `http://127.0.0.1:${machine.ports.edge}`, streamId, rendition: '180p' });
}

describe('with static keys', () => {
  const KEYS = { first: 'k3y-0f-the-first.one', second: 'k3y-0f-the-second', hevc: 'k3y-0f-hevc' };
  let machine: MachineProcess;

  beforeAll(async () => {
    const keys = Object.entries(KEYS).map(([streamId, key]) => `${streamId}=${key}`);
    machine = await startMachine({ HW_STREAM_KEYS: keys.join(','), LOG_LEVEL: 'debug' });
  });

  afterAll(async () => {
    await machine.stop();
  });

  test('a wrong key is refused at once, and nothing is started for it', async () => {
    const { code, tookMs } = await refusal({ port: machine.ports.rtmp, key: 'not-the-key-of-anything' });
    expect(code).toBe('NetStream.Publish.BadName');
    expect(tookMs).toBeLessThan(2000);
    expect(childrenOf(machine.pid)).toEqual([]);
    const reply = await fetch(`http://127.0.0.1:${machine.ports.edge}/first/status.json`);
    await reply.arrayBuffer();
    expect(reply.status).toBe(404);
    expect(() => assertNoSecret(machine.log(), { 'the wrong key': 'not-the-key-of-anything' })).not.toThrow();
  });

  test('the public name of a stream is no key', async () => {
    const { code } = await refusal({ port: machine.ports.rtmp, key: 'second' });
    expect(code).toBe('NetStream.Publish.BadName');
  });

  test('HEVC is refused in words that say what to set', async () => {
    const publisher = await RtmpPublisher.publish({ port: machine.ports.rtmp, key: KEYS.hevc });
    // Enhanced RTMP: sequence start and a coded key frame of "hvc1".
    const header = Buffer.concat([Buffer.from([0x90]), Buffer.from('hvc1'), Buffer.alloc(23, 1)]);
    const frame = Buffer.concat([Buffer.from([0x91]), Buffer.from('hvc1'), Buffer.alloc(200, 2)]);
    publisher.send({ kind: 'video', timestampMs: 0, body: header });
    const sending = setInterval(() => publisher.send({ kind: 'video', timestampMs: 40, body: frame }), 40);
    await publisher.closed;
    clearInterval(sending);
    const last = publisher.statuses.at(-1);
    expect(last?.level).toBe('error');
    expect(last?.description).toMatch(/HEVC.*H\.264.*OBS/);
    expect(childrenOf(machine.pid)).toEqual([]);
  });

  test('a second publisher is refused and the first one does not notice; the key is nowhere', async () => {
    const first = await PacedPublisher.start({ port: machine.ports.rtmp, key: KEYS.first, source });
    const viewer = follow(machine, 'first');
    await viewer.waitForSegments(2, 20_000);
    const [encoder, ...others] = childrenOf(machine.pid);
    expect(others).toEqual([]);
    const { code, message } = await refusal({ port: machine.ports.rtmp, key: KEYS.first });
    expect(code).toBe('NetStream.Publish.BadName');
    expect(message).toContain('first is already live');
    await viewer.waitForSegments(2, 20_000);
    expect(childrenOf(machine.pid)).toEqual([encoder]);
    expect(first.rtmp.isClosed).toBe(false);
    expect(viewer.epochs).toHaveLength(1);
    expect(viewer.longestQuietMs).toBeLessThan(3000);
    const said = await everythingSaid(machine, 'first', KEYS.first);
    await first.sayGoodbye();
    expect(await viewer.verdict()).toEqual([]);
    for (const words of [said, message, machine.log()]) {
      expect(() => assertNoSecret(words, { 'the stream key': KEYS.first })).not.toThrow();
    }
  });
});

/** Playlists, status, errors, pages and argument lists. */
async function everythingSaid(machine: MachineProcess, streamId: string, key: string): Promise<string> {
  const origin = `http://127.0.0.1:${machine.ports.edge}`;
  const paths = [
    `/${streamId}/live.m3u8`,
    `/${streamId}/180p/index.m3u8`,
    `/${streamId}/status.json`,
    `/watch/${streamId}`,
    `/livez`,
    `/readyz`,
    `/metrics`,
    `/${streamId}/180p/nothing.m3u8`,
  ];
  const bodies = await Promise.all(
    paths.map(async (path) => {
      const reply = await fetch(`${origin}${path}`);
      return `${JSON.stringify([...reply.headers])}\n${await reply.text()}`;
    }),
  );
  // Asked for by its key a stream does not exist.
  const byKey = await fetch(`${origin}/${encodeURIComponent(key)}/live.m3u8`);
  expect(byKey.status).toBe(404);
  const processes = [machine.pid, ...childrenOf(machine.pid)].map(commandLineOf);
  return [...bodies, await byKey.text(), ...processes].join('\n');
}

describe('with a webhook', () => {
  const GOOD = 'secret-that-the-hook-knows';
  let hook: Server;
  let machine: MachineProcess;
  /** Keys that it was asked about. */
  const asked: string[] = [];

  beforeAll(async () => {
    hook = createServer((request, reply) => {
      void text(request).then((body): undefined => {
        const { streamKey } = JSON.parse(body) as { streamKey: string };
        asked.push(streamKey);
        if (streamKey === GOOD) reply.writeHead(200).end(JSON.stringify({ streamId: 'hooked', title: 'By the hook' }));
        else if (streamKey.startsWith('broken')) reply.writeHead(500).end('oh no');
        else if (streamKey.startsWith('denied')) reply.writeHead(403).end();
        // Any other key is never answered.
        return undefined;
      });
    });
    await new Promise<void>((resolve) => hook.listen(0, '127.0.0.1', resolve));
    const { port } = hook.address() as AddressInfo;
    machine = await startMachine({
      HW_STREAM_KEYS: 'static=static-stream-key',
      HW_AUTH_WEBHOOK_URL: `http://127.0.0.1:${port}/publish`,
      HW_WEBHOOK_ALLOW_PRIVATE: '1',
    });
  });

  afterAll(async () => {
    await machine.stop();
    hook.closeAllConnections();
    hook.close();
  });

  test('a key becomes the stream that the hook names', async () => {
    const publisher = await PacedPublisher.start({ port: machine.ports.rtmp, key: GOOD, source });
    const status = await eventually('the stream is live', 20_000, async () => {
      const reply = await fetch(`http://127.0.0.1:${machine.ports.edge}/hooked/status.json`);
      const body = await reply.text();
      return reply.status === 200 && body.includes('"live"') && body;
    });
    expect(JSON.parse(status)).toMatchObject({ streamId: 'hooked', title: 'By the hook', live: true });
    const said = await everythingSaid(machine, 'hooked', GOOD);
    await publisher.sayGoodbye();
    expect(() => assertNoSecret(`${said}${machine.log()}`, { 'the stream key': GOOD })).not.toThrow();
  });

  test.concurrent.each([
    ['denies', 'denied-key-1', 2000],
    ['answers 500', 'broken-key-1', 5000],
    ['never answers', 'silent-key-1', 5000],
    ['denies a key that is set here', 'denied-static-stream-key', 2000],
  ])('a hook that %s keeps the publisher out', async (_, key, withinMs) => {
    const { code, tookMs } = await refusal({ port: machine.ports.rtmp, key });
    expect(code).toBe('NetStream.Publish.BadName');
    expect(tookMs).toBeLessThan(withinMs);
    expect(asked).toContain(key);
    expect(() => assertNoSecret(machine.log(), { 'the refused key': key })).not.toThrow();
  });
});
