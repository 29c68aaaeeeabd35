/**
 * Plays the hostile corpus against ingest in a process of its own while a healthy publisher streams: the process lives,
 * memory stays bounded, the healthy stream loses nothing, and not a tag of the unauthorised arrives anywhere.
 */
import { fork } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { RtmpPublisher } from '../rtmp_publisher.ts';
import { HOSTILE_CLASSES } from './hostile_case.ts';
import type { HostileCase } from './hostile_case.ts';
import { HOSTILE_CORPUS, playCase } from './hostile_corpus.ts';
import type { Observation } from './hostile_corpus.ts';
import type { IngestReport } from './ingest_process.ts';
import { goodbye, videoBody } from './rtmp_bytes.ts';

const MAX_GROWTH_BYTES = 64 * 1024 * 1024;
const PATIENCE_MS = 5000;
const AT_ONCE = 16;

let child: ChildProcess;
let port = 0;
let healthy: RtmpPublisher;
let healthyTimer: NodeJS.Timeout;
let sent = 0;
let before: IngestReport;

async function report(message: 'report' | 'reset-max' = 'report'): Promise<IngestReport> {
  child.send(message);
  const [answer] = (await once(child, 'message')) as [IngestReport];
  return answer;
}

function sendHealthy(): void {
  const body = videoBody(4000);
  body.writeUInt32BE(sent, 5);
  healthy.send({ kind: 'video', timestampMs: sent * 20, body });
  sent += 1;
}

beforeAll(async () => {
  child = fork(new URL('ingest_process.ts', import.meta.url), { stdio: 'inherit' });
  const [hello] = (await once(child, 'message')) as [{ port: number }];
  port = hello.port;
  healthy = await RtmpPublisher.publish({ port, key: 'healthy' });
  for (let warm = 0; warm < 200; warm += 1) sendHealthy();
  healthyTimer = setInterval(sendHealthy, 20);
  before = await report('reset-max');
});

afterAll(() => {
  clearInterval(healthyTimer);
  child.kill('SIGKILL');
});

interface Played {
  readonly hostile: HostileCase;
  readonly key: string;
  readonly seen: readonly Observation[];
}

async function play(hostile: HostileCase, index: number): Promise<Played> {
  const key = `${hostile.key}-${index}`;
  const finale = hostile.expect.outcome === 'live' ? { finale: goodbye(key) } : {};
  const connections = Array.from({ length: hostile.connections ?? 1 }, () =>
    playCase(hostile, { port, key, patienceMs: PATIENCE_MS, ...finale }),
  );
  return { hostile, key, seen: await Promise.all(connections) };
}

/** All cases, a few at a time; bombs one after the other, so that each one's memory is its own. */
async function playAll(): Promise<Played[]> {
  const played: Played[] = [];
  const queue = HOSTILE_CORPUS.map((hostile, index) => ({ hostile, index }));
  const bombs = queue.filter(({ hostile }) => hostile.class === 'bombs');
  const others = queue.filter(({ hostile }) => hostile.class !== 'bombs');
  const worker = async (list: typeof queue): Promise<void> => {
    for (let next = list.shift(); next !== undefined; next = list.shift()) {
      played.push(await play(next.hostile, next.index));
    }
  };
  await Promise.all([...Array.from({ length: AT_ONCE }, () => worker(others)), worker(bombs), worker(bombs)]);
  return played;
}

/** What is not as the corpus wants it. */
function problemsOf({ hostile, key, seen }: Played, after: IngestReport): string[] {
  const { expect: wanted } = hostile;
  const stream = after.streams[key];
  const found: string[] = [];
  if (!seen.every((one) => one.closed)) found.push('the connection stayed open');
  if (wanted.outcome === 'refused' && !seen.every((one) => one.heard.includes(wanted.code))) {
    found.push(`${wanted.code} was not said`);
  }
  if (hostile.key === 'bad' && seen.some((one) => one.heard.includes('NetStream.Publish.Start'))) {
    found.push('Publish.Start was said');
  }
  if (hostile.key === 'bad' && stream !== undefined) found.push('a stream came to be');
  if (wanted.outcome === 'live' && (stream?.tags !== wanted.tags || stream.ends.join() !== 'goodbye')) {
    found.push(`the stream got ${JSON.stringify(stream)}`);
  }
  return found.map((problem) => `${hostile.class}: ${hostile.name}: ${problem}`);
}

describe('hostile corpus', () => {
  test('has at least eight inputs in each class', () => {
    const names = new Set(HOSTILE_CORPUS.map((hostile) => `${hostile.class}: ${hostile.name}`));
    expect(names.size).toBe(HOSTILE_CORPUS.length);
    for (const name of HOSTILE_CLASSES) {
      expect(HOSTILE_CORPUS.filter((hostile) => hostile.class === name).length).toBeGreaterThanOrEqual(8);
    }
  });

  test('closes, refuses or ignores each, and nobody else notices', { timeout: 60_000 }, async () => {
    const played = await playAll();
    const after = await report();
    clearInterval(healthyTimer);
    expect(child.exitCode).toBeNull();
    expect(played.flatMap((one) => problemsOf(one, after))).toStrictEqual([]);
    await healthy.unpublish();
    const end = await report();
    expect(end.streams['healthy']).toStrictEqual({ tags: sent, strange: 0, ends: ['goodbye'] });
    expect(healthy.isClosed).toBe(true);
    expect(end.leakedKeys).toBe(0);
    expect(end.counters.sinkErrors + end.counters.protocolErrors.internal).toBe(0);
    expect(end.counters.mediaDropped).toBeGreaterThan(0);
    expect(end.maxRssBytes - before.rssBytes).toBeLessThanOrEqual(MAX_GROWTH_BYTES);
  });
});
