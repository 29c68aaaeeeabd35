/**
 * Relays to nginx-rtmp servers, one of them over TLS, and one transcoded: what they recorded is what was published.
 */
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { isFull } from '../layers/needs_full.ts';
import { parseAvcConfig } from '../../transcoder/flv/avc_config.ts';
import type { MediaTag } from '../../transcoder/flv/media_tag.ts';
import { inspectVideoTag } from '../../transcoder/flv/video_tag.ts';
import { childrenOf, commandLineOf } from '../one_machine/child_processes.ts';
import { eventually } from '../one_machine/eventually.ts';
import { startMachine } from '../one_machine/machine_process.ts';
import type { MachineProcess } from '../one_machine/machine_process.ts';
import { PacedPublisher } from '../one_machine/paced_publisher.ts';
import { makeTestSource } from '../one_machine/test_source.ts';
import type { TestSource } from '../one_machine/test_source.ts';
import { assertNoSecret } from '../secrets/assert_no_secret.ts';
import { hasNginxRtmp, startNginxRtmp, startTlsFront } from './nginx_rtmp.ts';
import type { NginxRtmp, TlsFront } from './nginx_rtmp.ts';

const hasServers = isFull && hasNginxRtmp();
const KEYS = { youtube: 'yt-key-1234567', twitch: 'live_12_twkey', facebook: 'FB-12-0-fbkey', small: 'small-key-123' };
const PUBLISHER_KEY = 'key-of-the-publisher';
let servers: NginxRtmp[] = [];
let front: TlsFront;
let machine: MachineProcess;
let source: TestSource;

beforeAll(async () => {
  if (!hasServers) return;
  source = await makeTestSource();
  servers = await Promise.all([startNginxRtmp(), startNginxRtmp(), startNginxRtmp()]);
  front = await startTlsFront(at(2).port);
  machine = await startMachine({
    HW_STREAM_KEYS: `demo=${PUBLISHER_KEY}`,
    HW_RELAY_ALLOW_PRIVATE: '1',
    HW_RELAY_TRANSCODE: '120p15:200k:64k',
    NODE_EXTRA_CA_CERTS: front.certificateFile,
    LOG_LEVEL: 'debug',
    HW_RELAY_SERVICES: [
      `youtube=rtmp://127.0.0.1:${at(0).port}/live`,
      `twitch=rtmp://localhost:${at(1).port}/live`,
      `facebook=rtmps://localhost:${front.port}/live`,
      `small=rtmp://127.0.0.1:${at(0).port}/live;transcode`,
    ].join(','),
  });
});

beforeEach((context) => {
  if (!hasServers) context.skip('needs script/test --full and libnginx-mod-rtmp');
});

afterAll(async () => {
  if (!hasServers) return;
  await machine.stop();
  front.close();
  await Promise.all(servers.map((server) => server.stop()));
});

function at(index: number): NginxRtmp {
  const server = servers[index];
  if (server === undefined) throw new Error(`there is no server ${index}`);
  return server;
}

function recorded(server: number, key: string): readonly MediaTag[] {
  return at(server).recorded(key).at(-1) ?? [];
}

const framesOf = (tags: readonly MediaTag[]): readonly MediaTag[] =>
  tags.filter(({ kind, body }) => kind !== 'metadata' && body[1] === 1);

test('three servers and an encode, across a reconnect of the publisher', async () => {
  const query = new URLSearchParams({ ...KEYS, facebook_s_bl: '1', facebook_a: 'a-secret-of-facebook' }).toString();
  const options = { port: machine.ports.rtmp, key: PUBLISHER_KEY, source, query };
  const first = await PacedPublisher.start(options);
  const processes = await eventually('all have some seconds', 20_000, () => {
    const counts = [KEYS.youtube, KEYS.twitch, KEYS.facebook].map(
      (key, index) => framesOf(recorded(index, key)).length,
    );
    const small = framesOf(recorded(0, KEYS.small)).length;
    return Math.min(...counts) > 250 && small > 60 && [machine.pid, ...childrenOf(machine.pid)].map(commandLineOf);
  });
  await first.reset();
  const second = await PacedPublisher.start(options);
  const before = framesOf(recorded(0, KEYS.youtube)).length;
  await eventually('it goes on', 20_000, () => framesOf(recorded(0, KEYS.youtube)).length > before + 150);
  await second.sayGoodbye();

  const published = new Map(source.frames.map((tag) => [`${tag.kind} ${tag.body.toString('base64')}`, tag]));
  const firstVideo = source.frames.findIndex((tag) => tag.kind === 'video');
  for (const [index, key] of [KEYS.youtube, KEYS.twitch, KEYS.facebook].entries()) {
    const frames = framesOf(recorded(index, key));
    // One connection each, although the publisher had two.
    expect(at(index).recorded(key)).toHaveLength(1);
    expect(frames.filter((tag) => !published.has(`${tag.kind} ${tag.body.toString('base64')}`))).toEqual([]);
    const whole = source.frames.slice(firstVideo, firstVideo + 200);
    expect(frames.slice(0, 200).map(({ body }) => body)).toEqual(whole.map(({ body }) => body));
    const start = frames[0]?.timestampMs ?? 0;
    const origin = whole[0]?.timestampMs ?? 0;
    expect(frames.slice(0, 200).map((tag) => tag.timestampMs - start)).toEqual(
      whole.map((tag) => tag.timestampMs - origin),
    );
    const times = frames.filter(({ kind }) => kind === 'video').map(({ timestampMs }) => timestampMs);
    expect(times).toEqual(times.toSorted((a, b) => a - b));
  }
  const header = recorded(0, KEYS.small).map(({ kind, body }) =>
    kind === 'video' ? inspectVideoTag(body) : undefined,
  );
  const config = header.find((tag) => tag?.packet === 'sequence-header')?.data ?? Buffer.alloc(0);
  expect(parseAvcConfig(config)).toMatchObject({ height: 120 });

  const metrics = await (await fetch(`http://127.0.0.1:${machine.ports.metrics}/metrics`)).text();
  const secrets = { ...KEYS, facebook_a: 'a-secret-of-facebook', publisher: PUBLISHER_KEY };
  assertNoSecret([machine.log(), metrics, ...processes].join('\n'), secrets);
});

test('a server that is killed and comes back gets the stream again', async () => {
  const query = new URLSearchParams({ twitch: 'live_12_second', youtube: 'yt-key-second' }).toString();
  const publisher = await PacedPublisher.start({ port: machine.ports.rtmp, key: PUBLISHER_KEY, source, query });
  await eventually('it is live', 10_000, () => framesOf(recorded(1, 'live_12_second')).length > 30);
  const { port } = at(1);
  const untouched = framesOf(recorded(0, 'yt-key-second')).length;
  await at(1).stop();
  servers[1] = await startNginxRtmp(port);
  await eventually('it is live again', 15_000, () => framesOf(recorded(1, 'live_12_second')).length > 30);
  expect(framesOf(recorded(0, 'yt-key-second')).length).toBeGreaterThan(untouched);
  expect(at(0).recorded('yt-key-second')).toHaveLength(1);
  const again = recorded(1, 'live_12_second').find((tag) => tag.kind === 'video' && tag.body[1] === 1);
  expect(again === undefined ? undefined : inspectVideoTag(again.body)?.keyFrame).toBe(true);
  await publisher.sayGoodbye();
});
