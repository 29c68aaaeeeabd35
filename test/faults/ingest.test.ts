/**
 * FAULTS, ingest on one server: publishers that vanish, come back, come twice, say goodbye, and peers that mean harm,
 * while hls.js in Chromium watches a stream.
 */
import { readFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { HOSTILE_CORPUS, playCase } from '../ingest/hostile_corpus.ts';
import { eventually } from '../one_machine/eventually.ts';
import { startFreezingProxy } from '../one_machine/freezing_proxy.ts';
import { Stage } from '../one_machine/stage.ts';
import { makeTestSource } from '../one_machine/test_source.ts';
import type { TestSource } from '../one_machine/test_source.ts';
import { RtmpRefused } from '../rtmp_publisher.ts';
import { watchWithPlayer } from './fault_player.ts';
import { reportFault, seconds } from './fault_report.ts';
import { isFull, needsFull } from '../layers/needs_full.ts';

const MAX_GROWTH_BYTES = 64 * 1024 * 1024;
let source: TestSource;

beforeAll(async () => {
  source = await makeTestSource();
});

const after = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

describe('publishers', () => {
  let stage: Stage;
  beforeAll(async () => {
    stage = await Stage.open(['away', 'half-open', 'twice', 'goodbye'], { HW_GOODBYE_WINDOW: '3' });
  });
  afterAll(async () => {
    await stage.close();
  });
  const watch = (streamId: string) => watchWithPlayer(`${stage.origin}/${streamId}/live.m3u8`);

  test('row 12: the connection resets and is back within 10 s', async () => {
    const absences = isFull ? [1, 4, 10] : [4];
    let publisher = await stage.publish('away', { source });
    const viewer = stage.follow('away');
    const watching = await watch('away');
    const session = (await stage.status('away'))?.sessionId;
    let worst = 0;
    for (const [index, absence] of absences.entries()) {
      await watching.forget();
      await publisher.reset();
      await after(absence * 1000);
      publisher = await stage.publish('away', { source });
      const again = () => (viewer.epochs[index + 1]?.segments.length ?? 0) >= 3;
      await viewer.waitFor(`the epoch after ${absence} s`, 30_000, again);
      await watching.playsOn(4, 30_000);
      // The picture is held meanwhile: nearly all of what is measured lies beyond the absence.
      worst = Math.max(worst, await watching.stalledMs());
    }
    expect(worst).toBeLessThanOrEqual(3000);
    expect(await watching.fatalErrors()).toEqual([]);
    expect(viewer.violations).toEqual([]);
    expect((await stage.status('away'))?.sessionId).toBe(session);
    await watching.close();
    await reportFault({
      row: '12',
      measured: `stall ${seconds(worst)} in all`,
      note: `away for ${absences.join(', ')} s`,
    });
  });

  test('row 14: half-open, the network swallowed the publisher', async () => {
    const proxy = await startFreezingProxy(stage.machine.ports.rtmp);
    await stage.publish('half-open', { source, port: proxy.port });
    const viewer = stage.follow('half-open');
    const watching = await watch('half-open');
    proxy.freeze();
    const from = performance.now();
    await eventually('a new connection is let in', 20_000, async () => {
      try {
        return await stage.publish('half-open', { source });
      } catch (error) {
        if (error instanceof RtmpRefused) return undefined;
        throw error;
      }
    });
    const accepted = performance.now() - from;
    expect(accepted).toBeLessThanOrEqual(15_000);
    await viewer.waitFor('the next epoch', 20_000, () => (viewer.epochs[1]?.segments.length ?? 0) >= 2);
    await watching.playsOn(4, 30_000);
    expect(await watching.fatalErrors()).toEqual([]);
    const stalled = await watching.stalledMs();
    await watching.close();
    proxy.close();
    const note = 'a proxy that forwards nothing more; with packets dropped by the kernel in script/test --full';
    await reportFault({ row: '14', measured: `accepted after ${seconds(accepted)}, stall ${seconds(stalled)}`, note });
  });

  test('row 15: a second publisher while the first is healthy', async () => {
    const first = await stage.publish('twice', { source });
    const viewer = stage.follow('twice');
    const watching = await watch('twice');
    for (let attempt = 0; attempt < 5; attempt += 1) {
      await expect(stage.publish('twice', { source })).rejects.toThrow(/already live/);
    }
    await watching.playsOn(4, 20_000);
    const stalled = await watching.stalledMs();
    expect(stalled).toBeLessThan(1500);
    expect(first.rtmp.isClosed).toBe(false);
    expect(viewer.epochs).toHaveLength(1);
    expect(await watching.fatalErrors()).toEqual([]);
    await watching.close();
    await reportFault({ row: '15', measured: `refused; the first one's stall ${seconds(stalled)}` });
  });

  test('row 21: the publisher says goodbye', async () => {
    const publisher = await stage.publish('goodbye', { source });
    const viewer = stage.follow('goodbye');
    await viewer.waitForSegments(3, 20_000);
    const from = performance.now();
    await publisher.sayGoodbye();
    const freed = performance.now() - from;
    await viewer.waitFor('ENDLIST', 3000 + 5000, () => viewer.ended);
    const ended = performance.now() - from;
    expect(ended).toBeLessThanOrEqual(8000);
    await reportFault({
      row: '21',
      measured: `freed after ${seconds(freed)}, ENDLIST ${seconds(ended - 3000)} after the window`,
    });
  });
});

/** What stays live with an authorised key is that key's own stream, and is held by test/ingest. */
const harmful = () =>
  HOSTILE_CORPUS.map((hostile, index) => ({ hostile, index })).filter(
    ({ hostile }) => hostile.expect.outcome !== 'live',
  );

/** Plays cases one after the other, and notes what the server should not have done. */
function attackers(port: number) {
  const left: string[] = [];
  const startsByTheUnauthorised: string[] = [];
  const worker = async (queue: ReturnType<typeof harmful>): Promise<void> => {
    for (let next = queue.shift(); next !== undefined; next = queue.shift()) {
      const { hostile, index } = next;
      const options = { port, key: `${hostile.key}-${index}`, patienceMs: 20_000 };
      const seen = await Promise.all(
        Array.from({ length: hostile.connections ?? 1 }, () => playCase(hostile, options)),
      );
      if (!seen.every(({ closed }) => closed)) left.push(hostile.name);
      const started = seen.some(({ heard }) => heard.includes('NetStream.Publish.Start'));
      if (hostile.key === 'bad' && started) startsByTheUnauthorised.push(hostile.name);
    }
  };
  return { worker, left, startsByTheUnauthorised };
}

describe('peers that mean harm', () => {
  const good = HOSTILE_CORPUS.flatMap(({ key }, index) => (key === 'good' ? [index] : []));
  let stage: Stage;
  beforeAll(async () => {
    const keys = good.map((index) => `hostile-${index}=good-${index}`);
    stage = await Stage.open(['healthy'], {
      HW_STREAM_KEYS: [`healthy=key-of-healthy-that-nobody-sees`, ...keys].join(','),
      HW_MAX_STREAMS: '500',
      HW_GOODBYE_WINDOW: '0',
      HW_RECONNECT_WINDOW: '0',
    });
  });
  afterAll(async () => {
    await stage.close();
  });

  test('rows 16, 19, 23: what they send closes their socket and reaches nobody', async () => {
    await stage.publish('healthy', { source });
    const viewer = stage.follow('healthy');
    const watching = await watchWithPlayer(`${stage.origin}/healthy/live.m3u8`);
    await viewer.waitForSegments(2, 20_000);
    const { worker, left, startsByTheUnauthorised } = attackers(stage.machine.ports.rtmp);
    const all = harmful();
    const others = all.filter(({ hostile }) => hostile.class !== 'bombs');
    await Promise.all(Array.from({ length: 6 }, () => worker(others)));
    await watching.playsOn(3, 20_000);
    const stalled = await watching.stalledMs();
    expect(left).toEqual([]);
    expect(startsByTheUnauthorised).toEqual([]);
    expect(stage.machine.child.exitCode).toBeNull();
    expect(stalled).toBeLessThan(3000);
    expect(await watching.fatalErrors()).toEqual([]);
    expect(viewer.epochs).toHaveLength(1);
    expect(viewer.violations).toEqual([]);
    await watching.close();
    await reportFault({ row: '16', measured: `all closed; another stream's stall ${seconds(stalled)}` });
    await reportFault({ row: '19', measured: 'no Publish.Start' });
    await reportFault({ row: '23', measured: '0 frames' });
  });

  test('row 18: memory bombs before and after authorisation', async (context) => {
    needsFull(context);
    const { worker, left } = attackers(stage.machine.ports.rtmp);
    const bombs = harmful().filter(({ hostile }) => hostile.class === 'bombs');
    const before = await rssOf(stage.machine.pid);
    let most = before;
    const sampler = setInterval(() => void rssOf(stage.machine.pid).then((rss) => (most = Math.max(most, rss))), 50);
    await Promise.all([worker(bombs), worker(bombs)]);
    clearInterval(sampler);
    expect(left).toEqual([]);
    expect(most - before).toBeLessThanOrEqual(MAX_GROWTH_BYTES);
    await reportFault({ row: '18', measured: `+${Math.round(Math.max(0, most - before) / 2 ** 20)} MB` });
  });

  test('row 17: silent connections and slow handshakes', async (context) => {
    needsFull(context);
    const from = performance.now();
    const closings = Array.from({ length: 100 }, (_, index) => {
      const socket = connect(stage.machine.ports.rtmp, '127.0.0.1');
      socket.on('error', () => undefined);
      // Half of them send one byte a second of a handshake that they never finish.
      const drip = index % 2 === 0 ? setInterval(() => socket.write(Buffer.from([3])), 1000) : undefined;
      return new Promise<number>((resolve) => {
        socket.once('close', () => {
          clearInterval(drip);
          resolve(performance.now() - from);
        });
      });
    });
    await stage.publish(`hostile-${good[0]}`, { source, key: `good-${good[0]}` });
    const slowest = Math.max(...(await Promise.all(closings)));
    expect(slowest).toBeLessThanOrEqual(15_000);
    await reportFault({ row: '17', measured: `closed after ${seconds(slowest)} at most; another one connected` });
  });
});

/** Resident memory of a process, bytes. */
async function rssOf(pid: number): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8');
  return Number(/VmRSS:\s+([0-9]+) kB/.exec(status)?.[1]) * 1024;
}
