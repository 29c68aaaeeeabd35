/**
 * FAULTS, authorisation: webhooks that deny, hang, lie and lead astray, and viewers without a good token.
 */
import { createServer } from 'node:http';
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { SignJWT } from 'jose';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { CheckingViewer } from '../one_machine/checking_viewer.ts';
import { childrenOf } from '../one_machine/child_processes.ts';
import { eventually } from '../one_machine/eventually.ts';
import { startMachine } from '../one_machine/machine_process.ts';
import type { MachineProcess } from '../one_machine/machine_process.ts';
import { PacedPublisher } from '../one_machine/paced_publisher.ts';
import { makeTestSource } from '../one_machine/test_source.ts';
import type { TestSource } from '../one_machine/test_source.ts';
import { RtmpRefused } from '../rtmp_publisher.ts';
import { reportFault, seconds } from './fault_report.ts';

let source: TestSource;

beforeAll(async () => {
  source = await makeTestSource();
});

async function listen(answer: (request: IncomingMessage, response: ServerResponse) => void, host = '127.0.0.1') {
  const server = createServer(answer);
  await new Promise<void>((resolve) => server.listen(0, host, resolve));
  return { server, port: (server.address() as AddressInfo).port };
}

function close(server: Server): void {
  server.closeAllConnections();
  server.close();
}

/** How long the refusal of a key took, ms. @throws Error when the publisher was let in */
async function refusedAfter(port: number, key: string): Promise<number> {
  const from = performance.now();
  const outcome = await PacedPublisher.start({ port, key, source }).catch((error: unknown) => error);
  if (!(outcome instanceof RtmpRefused)) throw new Error('the publisher was let in', { cause: outcome });
  return performance.now() - from;
}

describe('a webhook', () => {
  let hook: Server;
  let elsewhere: Server;
  let machine: MachineProcess;
  let elsewhereRequests = 0;

  beforeAll(async () => {
    const other = await listen((_, response) => {
      elsewhereRequests += 1;
      response.end(JSON.stringify({ streamId: 'stolen' }));
    });
    elsewhere = other.server;
    const answers: Readonly<Record<string, (response: ServerResponse) => void>> = {
      good: (response) => response.end(JSON.stringify({ streamId: 'good' })),
      denies: (response) => response.writeHead(403).end(),
      hangs: () => undefined,
      'answers-500': (response) => response.writeHead(500).end('no'),
      'no-json': (response) => response.end('{"streamId":'),
      'bad-id': (response) => response.end(JSON.stringify({ streamId: '../other' })),
      huge: (response) => response.end(JSON.stringify({ streamId: 'good', title: 'x'.repeat(10 * 2 ** 20) })),
      endless: (response) => {
        const drip = setInterval(() => response.write(' '), 100);
        response.once('close', () => clearInterval(drip));
      },
      redirects: (response) => response.writeHead(302, { location: `http://127.0.0.1:${other.port}/` }).end(),
    };
    const asked = async (request: IncomingMessage, response: ServerResponse) => {
      const { streamKey } = JSON.parse(Buffer.concat(await request.toArray()).toString('utf8')) as {
        streamKey: string;
      };
      answers[streamKey]?.(response);
    };
    const started = await listen((request, response) => void asked(request, response));
    hook = started.server;
    machine = await startMachine({
      HW_AUTH_WEBHOOK_URL: `http://127.0.0.1:${started.port}/publish`,
      HW_WEBHOOK_ALLOW_PRIVATE: '1',
    });
  });

  afterAll(async () => {
    await machine.stop();
    close(hook);
    close(elsewhere);
  });

  test('row 24: denies', async () => {
    const took = await refusedAfter(machine.ports.rtmp, 'denies');
    expect(took).toBeLessThanOrEqual(2000);
    expect(childrenOf(machine.pid)).toEqual([]);
    await reportFault({ row: '24', measured: `refused after ${seconds(took)}, no FFmpeg` });
  });

  test('row 25: hangs, and other publishers do not notice', async () => {
    const hanging = Array.from({ length: 20 }, () => refusedAfter(machine.ports.rtmp, 'hangs'));
    const from = performance.now();
    const publisher = await PacedPublisher.start({ port: machine.ports.rtmp, key: 'good', source });
    const letIn = performance.now() - from;
    expect(letIn).toBeLessThan(2000);
    const viewer = CheckingViewer.follow({
      origin: `http://127.0.0.1:${machine.ports.edge}`,
      streamId: 'good',
      rendition: '180p',
    });
    await viewer.waitForSegments(2, 20_000);
    const slowest = Math.max(...(await Promise.all(hanging)));
    expect(slowest).toBeLessThanOrEqual(5000);
    expect(await viewer.verdict()).toEqual([]);
    await publisher.sayGoodbye();
    await reportFault({
      row: '25',
      measured: `refused after ${seconds(slowest)}; another let in after ${seconds(letIn)}`,
    });
  });

  test('row 26: answers 500, bad JSON, a bad stream id, a huge body, an endless one, a redirect', async () => {
    const keys = ['answers-500', 'no-json', 'bad-id', 'huge', 'endless', 'redirects'];
    const took = await Promise.all(keys.map((key) => refusedAfter(machine.ports.rtmp, key)));
    expect(Math.max(...took)).toBeLessThanOrEqual(5000);
    expect(elsewhereRequests).toBe(0);
    for (const key of keys) expect(machine.log()).not.toContain(`"${key}"`);
    await reportFault({ row: '26', measured: `refused after ${seconds(Math.max(...took))} at most` });
  });
});

test('row 28: a webhook at a private or link-local address, in every notation', async () => {
  let requests = 0;
  const answer = (_: IncomingMessage, response: ServerResponse) => {
    requests += 1;
    response.end(JSON.stringify({ streamId: 'stolen' }));
  };
  const four = await listen(answer);
  const six = createServer(answer);
  await new Promise<void>((resolve) => six.listen(four.port, '::1', resolve));
  const hosts = [
    '127.0.0.1',
    'localhost',
    'LOCALHOST.',
    '127.1',
    '0x7f.1',
    '2130706433',
    '0.0.0.0',
    '[::1]',
    '[::ffff:127.0.0.1]',
    '[::ffff:7f00:1]',
    '[64:ff9b::7f00:1]',
    '169.254.169.254',
    '[fe80::1]',
    '[fd00::1]',
    '10.0.0.1',
    '100.64.0.1',
  ];
  const attempt = async (host: string) => {
    const machine = await startMachine({ HW_AUTH_WEBHOOK_URL: `http://${host}:${four.port}/publish` });
    try {
      await refusedAfter(machine.ports.rtmp, 'any-key');
    } finally {
      await machine.stop();
    }
  };
  for (let index = 0; index < hosts.length; index += 4) await Promise.all(hosts.slice(index, index + 4).map(attempt));
  close(four.server);
  close(six);
  expect(requests).toBe(0);
  await reportFault({ row: '28', measured: `${requests} requests` });
});

test('row 31: a playback token that is missing, expired, for another stream, forged', async () => {
  const secret = 'a-secret-of-thirty-two-bytes-or-more';
  const machine = await startMachine({ HW_PLAYBACK: 'signed', HW_PLAYBACK_KEYS: `k1=${secret}` });
  try {
    await PacedPublisher.start({ port: machine.ports.rtmp, key: 'bench-stream-key', source });
    const token = (sub: string, key: string, expires: string) =>
      new SignJWT({ sub })
        .setProtectedHeader({ alg: 'HS256', kid: 'k1' })
        .setExpirationTime(expires)
        .sign(new TextEncoder().encode(key));
    const ask = async (path: string) => {
      const reply = await fetch(`http://127.0.0.1:${machine.ports.edge}/bench/${path}`);
      const body = await reply.text();
      return { status: reply.status, cache: reply.headers.get('cache-control'), body };
    };
    const good = await token('bench', secret, '5m');
    const playlist = await eventually('the stream plays with a good token', 20_000, async () => {
      const reply = await ask(`180p/index.m3u8?token=${good}`);
      return reply.status === 200 && reply;
    });
    const segment = /^(?:\/bench\/|\.\.\/)?([0-9]+\/180p\/[0-9]+\.m4s)/m.exec(playlist.body)?.[1] ?? 'none';
    const [other, expired, forged] = await Promise.all([
      token('other', secret, '5m'),
      token('bench', secret, '-5m'),
      token('bench', 'another-secret-of-thirty-two-bytes-or-so', '5m'),
    ]);
    const none = `eyJhbGciOiJub25lIn0.${Buffer.from(JSON.stringify({ sub: 'bench' })).toString('base64url')}.`;
    for (const path of ['live.m3u8', '180p/index.m3u8', segment, 'poster.jpg', 'status.json']) {
      expect(await ask(path)).toMatchObject({ status: 401, cache: 'no-store' });
      for (const bad of [other, expired, forged, none, 'x', `${good}x`]) {
        const reply = await ask(`${path}?token=${bad}`);
        expect({ path, ...reply }).toMatchObject({ status: 403, cache: 'no-store' });
        expect(reply.body).not.toContain(bad);
      }
    }
    expect((await ask(`${segment}?token=${good}`)).status).toBe(200);
    expect(machine.log()).not.toContain(good);
    await reportFault({ row: '31', measured: '401 and 403, no-store' });
  } finally {
    await machine.stop();
  }
});
