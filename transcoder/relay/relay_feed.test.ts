import { describe, expect, test } from 'vitest';
import type { MediaTag } from '../flv/media_tag.ts';
import { audioFrame, audioHeader, videoFrame, videoHeader } from '../stream/testing/tags.ts';
import type { RelayBatch } from './relay_batch.ts';
import { RelayFeed } from './relay_feed.ts';
import { MAX_QUEUED_BYTES, RelayQueue } from './relay_queue.ts';
import { readChunks } from './testing/read_chunks.ts';

function start() {
  let nowMs = 0;
  const feed = new RelayFeed(() => nowMs);
  const push = (...tags: MediaTag[]) => {
    for (const tag of tags) feed.push(tag);
  };
  return { feed, push, pass: (ms: number) => (nowMs += ms) };
}

/** What a target gets, as `v:0` for a tag of video at 0 ms and `V:0` for its header. */
function join(feed: RelayFeed, messageStreamId = 1, queued = { bytes: 0, dropped: 0 }) {
  const buffers: Buffer[] = [];
  const leave = feed.join(messageStreamId, (backlog) => {
    const queue = new RelayQueue(
      {
        queuedBytes: () => queued.bytes,
        send: (bytes) => buffers.push(bytes),
        headers: (timestampMs) => feed.headers(messageStreamId, timestampMs).bytes,
        dropped: () => (queued.dropped += 1),
      },
      backlog,
    );
    return (batch: RelayBatch) => queue.push(batch);
  });
  return {
    buffers,
    leave,
    got: () => readChunks(Buffer.concat(buffers)).map(({ label, timestamp }) => `${label}:${timestamp}`),
    streams: () => new Set(readChunks(Buffer.concat(buffers)).map((message) => message.messageStreamId)),
  };
}

const headers = [videoHeader(0), audioHeader(0)];

describe('the feed of relays', () => {
  test('targets that wait begin with the headers and the first key frame', async () => {
    const { feed, push } = start();
    const target = join(feed);
    push(audioFrame(0), ...headers, videoFrame(0, false), audioFrame(5), videoFrame(40, true), audioFrame(45));
    await Promise.resolve();
    // Sound that came before anything said that there is video counts; after it, nothing before the key frame.
    expect(target.got()).toEqual(['V:0', 'A:0', 'a:0', 'V:0', 'A:0', 'v:40', 'a:45']);
  });

  test('a target that joins later begins with the last key frame, at the time of its headers', async () => {
    const { feed, push } = start();
    push(...headers, videoFrame(0, true), videoFrame(40, false), videoFrame(80, true), audioFrame(85));
    const target = join(feed);
    push(videoFrame(120, false));
    await Promise.resolve();
    expect(target.got()).toEqual(['V:80', 'A:80', 'v:80', 'a:85', 'v:120']);
  });

  test('all targets get the same buffer, once per message stream', async () => {
    const { feed, push } = start();
    const [one, two, other] = [join(feed), join(feed), join(feed, 7)];
    push(...headers, videoFrame(0, true));
    await Promise.resolve();
    push(videoFrame(40, false), audioFrame(41));
    await Promise.resolve();
    expect(one.buffers.at(-1)).toBe(two.buffers.at(-1));
    expect(other.buffers.at(-1)).not.toBe(one.buffers.at(-1));
    expect(other.got()).toEqual(one.got());
    expect([one.streams(), other.streams()]).toEqual([new Set([1]), new Set([7])]);
  });

  test('a target that is too far behind loses up to a key frame, and gets the headers again', async () => {
    const { feed, push } = start();
    const queued = { bytes: 0, dropped: 0 };
    const target = join(feed, 1, queued);
    push(...headers, videoFrame(0, true));
    await Promise.resolve();
    queued.bytes = MAX_QUEUED_BYTES + 1;
    push(videoFrame(40, false), audioFrame(41));
    await Promise.resolve();
    queued.bytes = MAX_QUEUED_BYTES - 1;
    push(videoFrame(80, true), videoFrame(120, false));
    await Promise.resolve();
    queued.bytes = 0;
    push(videoFrame(160, false), videoFrame(200, true), audioFrame(201));
    await Promise.resolve();
    expect(target.got().slice(3)).toEqual(['V:200', 'A:200', 'v:200', 'a:201']);
    expect(queued.dropped).toBe(5);
  });

  test('a publisher that comes back goes on where the last one stopped', async () => {
    const { feed, push, pass } = start();
    const target = join(feed);
    push(...headers, videoFrame(0, true), videoFrame(1000, false));
    pass(2000);
    feed.restart();
    push(...headers, videoFrame(0, false), videoFrame(40, true));
    await Promise.resolve();
    expect(target.got().slice(3)).toEqual(['v:1000', 'V:1000', 'A:1000', 'v:3000']);
  });

  test('a header that changed makes the backlog useless, one that is repeated does not', async () => {
    const { feed, push } = start();
    push(...headers, videoFrame(0, true), audioHeader(10), videoFrame(40, false));
    expect(join(feed).got()).toEqual(['V:0', 'A:0', 'v:0', 'v:40']);
    push(videoHeader(50, Buffer.from([1, 0x42, 0, 0x1e, 0xff])));
    expect(join(feed).got()).toEqual([]);
  });

  test('sound alone starts anywhere', async () => {
    const { feed, push } = start();
    push(audioHeader(), audioFrame(0));
    const target = join(feed);
    push(audioFrame(21));
    await Promise.resolve();
    expect(target.got()).toEqual(['A:21', 'a:21']);
  });
});
