/**
 * `/metrics` as a scraper reads it, from a running server with a stream and relays, and the dashboard that shows it.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { start, cleanUp } from '../ingest/ingest_fixture.ts';
import { eventually } from '../one_machine/eventually.ts';
import { startMachine } from '../one_machine/machine_process.ts';
import type { MachineProcess } from '../one_machine/machine_process.ts';
import { PacedPublisher } from '../one_machine/paced_publisher.ts';
import { makeTestSource } from '../one_machine/test_source.ts';
import { assertNoSecret } from '../secrets/assert_no_secret.ts';
import { judgeDashboard } from './grafana_dashboard.ts';
import { parsePrometheusText } from './prometheus_text.ts';
import type { MetricFamily } from './prometheus_text.ts';

const ROOT = join(import.meta.dirname, '../..');
const SECRETS = { 'the stream key': 'key-of-the-publisher', 'the target key': 'key-of-the-target' };

let machine: MachineProcess;
let reply: { readonly type: string | null; readonly text: string };
let families: readonly MetricFamily[];

beforeAll(async () => {
  const target = await start();
  machine = await startMachine({
    HW_STREAM_KEYS: `demo=${SECRETS['the stream key']}`,
    HW_RELAY_ALLOW_PRIVATE: '1',
    HW_RELAY_SERVICES: `youtube=rtmp://127.0.0.1:${target.port}/live,twitch=rtmp://127.0.0.1:1/live`,
  });
  const publisher = await PacedPublisher.start({
    port: machine.ports.rtmp,
    key: SECRETS['the stream key'],
    query: `youtube=${SECRETS['the target key']}&twitch=${SECRETS['the target key']}&facebook=-bad-key-of-the-target`,
    source: await makeTestSource(),
  });
  reply = await eventually('the metrics tell of the stream and its relays', 20_000, async () => {
    const answer = await fetch(`http://127.0.0.1:${machine.ports.metrics}/metrics`);
    const text = await answer.text();
    const isAllThere =
      text.includes('headwater_streams{state="live"} 1') &&
      text.includes('headwater_relays{state="live"} 1') &&
      text.includes('headwater_relays{state="failing"} 1') &&
      text.includes('headwater_encoder_starts_total 1');
    return isAllThere && { type: answer.headers.get('content-type'), text };
  });
  families = parsePrometheusText(reply.text);
  await publisher.sayGoodbye();
});

afterAll(async () => {
  await machine.stop();
  await cleanUp();
});

const valueOf = (name: string, labels: Readonly<Record<string, string>> = {}): number | undefined =>
  families
    .find((family) => family.name === name)
    ?.samples.find((sample) => Object.entries(labels).every(([label, value]) => sample.labels.get(label) === value))
    ?.value;

describe('/metrics', () => {
  test('has the type of the text format', () => {
    expect(reply.type).toBe('text/plain; version=0.0.4; charset=utf-8');
  });

  test('names its metrics by convention', () => {
    const ours = families.filter(({ name }) => name.startsWith('headwater_'));
    expect(ours.length).toBeGreaterThan(30);
    for (const { name, type, help } of ours) {
      expect(name).toMatch(/^headwater_[a-z]+(?:_[a-z]+)*$/);
      // Base units, and nothing that a label should say.
      expect(name).not.toMatch(/_(?:ms|milliseconds|minutes|kb|mb|kilobytes|percent)(?:_|$)/);
      expect(`${name} ${name.endsWith('_total')}`).toBe(`${name} ${type === 'counter'}`);
      expect(help).toMatch(/^[A-Z].*\.$/);
    }
  });

  test('counts what happened', () => {
    expect(valueOf('headwater_ingest_publishes_total')).toBe(1);
    expect(valueOf('headwater_ingest_received_bytes_total')).toBeGreaterThan(1000);
    expect(valueOf('headwater_relay_published_total')).toBe(1);
    expect(valueOf('headwater_relay_failures_total', { class: 'connect' })).toBeGreaterThan(0);
    expect(valueOf('headwater_relay_refused_total')).toBe(1);
    expect(valueOf('headwater_encoder_failures_total')).toBe(0);
  });

  test('carries no key, no name and no address', () => {
    assertNoSecret(reply.text, SECRETS);
    expect(reply.text).not.toMatch(/youtube|twitch|demo|127\.0\.0\.1/);
  });

  test('is not on a port that viewers reach', async () => {
    for (const port of [machine.ports.edge, machine.ports.media]) {
      const answer = await fetch(`http://127.0.0.1:${port}/metrics`);
      await answer.arrayBuffer();
      expect(answer.status).toBeGreaterThanOrEqual(400);
    }
  });
});

test('the transcoder as a program of its own has them too, on a port of their own', async () => {
  const child = spawn(process.execPath, [join(ROOT, 'transcoder/main.ts')], {
    stdio: ['ignore', 'pipe', 'ignore'],
    env: {
      PATH: process.env['PATH'],
      HW_CONTROL: 'lambda',
      HW_RTMP_PORT: '0',
      HW_MEDIA_PORT: '0',
      HW_METRICS_PORT: '0',
      // Nobody is there: what it has to say of itself does not depend on it.
      AWS_ENDPOINT_URL_LAMBDA: 'http://127.0.0.1:1',
      AWS_REGION: 'eu-central-1',
      AWS_ACCESS_KEY_ID: 'nobody',
      AWS_SECRET_ACCESS_KEY: 'nobody',
    },
  });
  const gone = once(child, 'close');
  try {
    const [line] = (await once(createInterface({ input: child.stdout }), 'line')) as [string];
    const { ports } = JSON.parse(line) as { ports: { metrics: number; media: number } };
    const text = await (await fetch(`http://127.0.0.1:${ports.metrics}/metrics`)).text();
    const own = families.map(({ name }) => name).filter((name) => /^headwater_(?!edge_|viewer_)/.test(name));
    expect(parsePrometheusText(text).map(({ name }) => name)).toEqual(expect.arrayContaining(own));
    const elsewhere = await fetch(`http://127.0.0.1:${ports.metrics}/livez`);
    await elsewhere.arrayBuffer();
    expect(elsewhere.status).toBe(404);
  } finally {
    child.kill('SIGINT');
    await gone;
  }
});

test('the dashboard is one that Grafana loads, and each of its queries names metrics that there are', () => {
  const text = readFileSync(join(ROOT, 'examples/grafana-dashboard.json'), 'utf8');
  expect(judgeDashboard(JSON.parse(text), new Set(families.map(({ name }) => name)))).toEqual([]);
});
