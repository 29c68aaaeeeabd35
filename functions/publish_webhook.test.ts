/** The publish webhook against a real HTTP server that misbehaves in every way that it may. */
import { randomUUID } from 'node:crypto';
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import { Webhook } from 'standardwebhooks';
import { afterEach, expect, test } from 'vitest';
import { createPublishWebhook } from './publish_webhook.ts';
import type { PublishWebhookOptions } from './publish_webhook.ts';
import { createWebhookSigner } from './webhook_signature.ts';

const KEY = 'the-publishers-secret';
const REQUEST = {
  streamKey: KEY,
  app: 'stream',
  query: { youtube: 'relay-secret' },
  clientAddress: '198.51.100.7',
  transcoderId: 't1',
};
const SECRET = `whsec_${Buffer.alloc(24, 1).toString('base64')}`;
const NEXT_SECRET = `whsec_${Buffer.alloc(32, 2).toString('base64')}`;

interface Received {
  readonly headers: http.IncomingHttpHeaders;
  readonly body: string;
  readonly url: string;
}

const servers: http.Server[] = [];
afterEach(async () => {
  await Promise.all(
    servers.splice(0).map(
      (server) =>
        new Promise((resolve) => {
          server.close(resolve);
          server.closeAllConnections();
        }),
    ),
  );
});

async function serve(answer: (response: http.ServerResponse, count: number) => void): Promise<{
  readonly url: URL;
  readonly port: number;
  readonly received: Received[];
}> {
  const received: Received[] = [];
  const server = http.createServer((request, response) => {
    let body = '';
    request.on('data', (chunk: Buffer) => (body += chunk.toString()));
    request.on('end', () => {
      received.push({ headers: request.headers, body, url: request.url ?? '' });
      answer(response, received.length);
    });
  });
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return { url: new URL(`http://127.0.0.1:${port}/hook?token=url-secret`), port, received };
}

function ask(url: URL, options: Partial<PublishWebhookOptions> = {}) {
  return createPublishWebhook({
    url,
    allowPrivate: true,
    clock: { nowMs: () => Date.now() },
    makeId: randomUUID,
    ...options,
  })(REQUEST);
}

const json = (value: unknown) => (response: http.ServerResponse) => response.end(JSON.stringify(value));

test('a grant is passed on, and the question is what the contract says', async () => {
  const grant = { streamId: 'show', title: 'The show', playback: 'signed', renditions: ['360p'] };
  const { url, received } = await serve(json(grant));
  expect(await ask(url)).toEqual({ allowed: true, grant });
  expect(received).toHaveLength(1);
  expect(JSON.parse(received[0]?.body ?? '')).toEqual({ type: 'publish.requested', ...REQUEST });
  expect(received[0]?.headers['webhook-signature']).toBeUndefined();
});

test('is signed with both active secrets, as the standardwebhooks library verifies', async () => {
  const { url, received } = await serve(json({ streamId: 'show' }));
  await ask(url, { signer: createWebhookSigner(`${SECRET},${NEXT_SECRET}`, 'HW_AUTH_WEBHOOK_SECRET') });
  const [first] = received;
  for (const secret of [SECRET, NEXT_SECRET]) {
    const headers = first?.headers as Record<string, string>;
    expect(new Webhook(secret).verify(first?.body ?? '', headers)).toMatchObject({ type: 'publish.requested' });
  }
  const other = `whsec_${Buffer.alloc(24, 9).toString('base64')}`;
  expect(() => new Webhook(other).verify(first?.body ?? '', first?.headers as Record<string, string>)).toThrow(
    /signature/i,
  );
});

test.each([401, 403, 404])('%i denies at once', async (status) => {
  const { url, received } = await serve((response) => {
    response.statusCode = status;
    response.end('{"streamId":"show"}');
  });
  expect(await ask(url)).toEqual({ allowed: false, code: 'denied', reason: `the webhook answered ${status}` });
  expect(received).toHaveLength(1);
});

const status =
  (code: number, headers: Record<string, string> = {}) =>
  (response: http.ServerResponse) => {
    response.writeHead(code, headers);
    response.end('{"streamId":"show"}');
  };
const text = (body: string | Buffer) => (response: http.ServerResponse) => response.end(body);
const INCONCLUSIVE: readonly (readonly [string, (response: http.ServerResponse) => unknown, RegExp])[] = [
  ['500', status(500), /answered 500/],
  ['503', status(503), /answered 503/],
  ['429', status(429), /answered 429/],
  ['400', status(400), /answered 400/],
  ['201', status(201), /answered 201/],
  ['204', (response) => response.writeHead(204).end(), /answered 204/],
  ['a redirect', status(302, { location: 'http://169.254.169.254/' }), /redirect \(302\), which is not followed/],
  ['a redirect that keeps the method', status(307, { location: '/elsewhere' }), /redirect \(307\)/],
  ['no body', text(''), /not JSON/],
  ['HTML', text('<html>relay-secret'), /not JSON/],
  ['broken JSON', text('{"streamId":"relay-secret'), /not JSON/],
  ['no UTF-8', text(Buffer.from([0x22, 0xff, 0xfe, 0x22])), /not JSON/],
  ['an array', text('[]'), /cannot be used: reply/],
  ['null', text('null'), /cannot be used: reply/],
  ['no stream id', text('{}'), /cannot be used: reply\.streamId/],
  ['a stream id that climbs', text('{"streamId":"../relay-secret"}'), /reply\.streamId: wanted a stream id/],
  ['a reserved stream id', text('{"streamId":"watch"}'), /reply\.streamId/],
  ['a stream id in capitals', text('{"streamId":"SHOW"}'), /reply\.streamId/],
  ['an unknown playback policy', text('{"streamId":"show","playback":"privat"}'), /reply\.playback/],
  ['a misspelt field', text('{"streamId":"show","playbck":"signed"}'), /cannot be used: reply/],
  ['a negative bitrate', text('{"streamId":"show","maxBitrateKbps":-1}'), /reply\.maxBitrateKbps/],
  ['10 MB', text(Buffer.alloc(10_000_000, 0x20)), /larger than 65536 bytes/],
  ['a dropped connection', (response) => response.destroy(), /the request failed \(ECONNRESET\)/],
  [
    'half a body',
    (response) => {
      response.writeHead(200, { 'content-length': '100' });
      response.write('{"streamId":"show"}', () => response.destroy());
    },
    /request failed|broke off/,
  ],
];

test.each(INCONCLUSIVE)('%s is asked once more, then refused without a secret', async (_name, answer, reason) => {
  const { url, received } = await serve(answer);
  const signer = createWebhookSigner(SECRET, 'HW_AUTH_WEBHOOK_SECRET');
  const reply = await ask(url, { signer });
  expect(reply).toMatchObject({ allowed: false, code: 'unavailable', reason: expect.stringMatching(reason) });
  expect(JSON.stringify(reply)).not.toMatch(/secret|whsec|127\.0\.0\.1/);
  expect(received).toHaveLength(2);
  expect(received[1]?.headers['webhook-id']).toBe(received[0]?.headers['webhook-id']);
});

test('the second request may allow', async () => {
  const { url } = await serve((response, count) => {
    if (count === 1) response.writeHead(500).end();
    else json({ streamId: 'show' })(response);
  });
  expect(await ask(url)).toMatchObject({ allowed: true });
});

test('the second request may deny', async () => {
  const { url } = await serve((response, count) => response.writeHead(count === 1 ? 500 : 403).end());
  expect(await ask(url)).toMatchObject({ allowed: false, code: 'denied' });
});

test('a request that hangs gets a second one beside it', async () => {
  const { url, received } = await serve((response, count) => {
    if (count === 2) json({ streamId: 'show' })(response);
  });
  expect(await ask(url, { secondAfterMs: 20 })).toMatchObject({ allowed: true });
  expect(received).toHaveLength(2);
});

test('a slow first request may still win against the second', async () => {
  let first: http.ServerResponse | undefined;
  const { url } = await serve((response, count) => {
    if (count === 1) first = response;
    else if (first !== undefined) json({ streamId: 'show' })(first);
  });
  expect(await ask(url, { secondAfterMs: 20 })).toMatchObject({ allowed: true });
});

test('a webhook that hangs is given up when the budget is spent', async () => {
  const { url, received } = await serve(() => undefined);
  const reply = await ask(url, { budgetMs: 120, secondAfterMs: 40 });
  expect(reply).toMatchObject({ allowed: false, code: 'unavailable', reason: expect.stringMatching(/in time/) });
  expect(received).toHaveLength(2);
});

test('a reply that drips is given up when the budget is spent', async () => {
  const { url } = await serve((response) => {
    response.writeHead(200);
    const timer = setInterval(() => response.write(' '), 10);
    response.once('close', () => clearInterval(timer));
  });
  expect(await ask(url, { budgetMs: 150, secondAfterMs: 50 })).toMatchObject({
    allowed: false,
    code: 'unavailable',
    reason: expect.stringMatching(/in time/),
  });
});

const LITERALS = [
  '127.0.0.1',
  '127.1',
  '2130706433',
  '0x7f000001',
  '0x7f.0.0.1',
  '0177.0.0.1',
  '127.0.0.1.',
  '１２７.0.0.1',
  '[::1]',
  '[::ffff:127.0.0.1]',
  '[::ffff:7f00:1]',
  '[::127.0.0.1]',
  '[64:ff9b::7f00:1]',
  '[2002:7f00:1::]',
  '[::]',
  '0.0.0.0',
  '0',
  '10.1.2.3',
  '169.254.169.254',
  '[fe80::1]',
  '[fd00:ec2::254]',
  '100.64.0.1',
  '192.168.0.1',
];

test.each(LITERALS)('the literal %s is refused before anything is sent', async (host) => {
  const { port, received } = await serve(json({ streamId: 'show' }));
  const reply = await ask(new URL(`http://${host}:${port}/`), { allowPrivate: false });
  expect(reply).toMatchObject({ allowed: false, code: 'unavailable', reason: expect.stringMatching(/is not public/) });
  expect(received).toHaveLength(0);
});

test.each(['127.0.0.1', '::1', '::ffff:127.0.0.1', '10.0.0.1', '169.254.169.254', 'fe80::1%eth0'])(
  'a name that means %s is refused before anything is sent',
  async (address) => {
    const { port, received } = await serve(json({ streamId: 'show' }));
    const family = address.includes(':') ? 6 : 4;
    const resolve = () => Promise.resolve([{ address, family }]);
    const url = new URL(`http://hooks.example:${port}/`);
    const reply = await ask(url, { allowPrivate: false, resolve });
    expect(reply).toMatchObject({ allowed: false, reason: expect.stringMatching(/is not public/) });
    expect(received).toHaveLength(0);
  },
);

test('the name localhost is refused', async () => {
  const { port, received } = await serve(json({ streamId: 'show' }));
  const reply = await ask(new URL(`http://localhost:${port}/`), { allowPrivate: false });
  expect(reply).toMatchObject({ allowed: false, reason: expect.stringMatching(/is not public/) });
  expect(received).toHaveLength(0);
});

test('a proxy from the environment is not used', async () => {
  const proxy = await serve(json({ streamId: 'show' }));
  const { url, received } = await serve(json({ streamId: 'show' }));
  const before = process.env.HTTP_PROXY;
  process.env.HTTP_PROXY = `http://127.0.0.1:${proxy.port}`;
  try {
    expect(await ask(url)).toMatchObject({ allowed: true });
  } finally {
    if (before === undefined) delete process.env.HTTP_PROXY;
    else process.env.HTTP_PROXY = before;
  }
  expect([received.length, proxy.received.length]).toEqual([1, 0]);
});

test.each(['', 'secret', 'whsec_', 'whsec_!!', 'whsec_YQ==', `${SECRET},${NEXT_SECRET},${SECRET}`])(
  'the secret setting %j is refused without showing it',
  (value) => {
    let message = '';
    try {
      createWebhookSigner(value, 'HW_AUTH_WEBHOOK_SECRET');
    } catch (error) {
      message = String(error);
    }
    expect(message).toMatch(/HW_AUTH_WEBHOOK_SECRET: /);
    expect(message).not.toMatch(/!!|YQ==|AQEB|AgIC/);
  },
);
