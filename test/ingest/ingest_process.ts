/**
 * A process with nothing but ingest in it, so that the corpus test can see it live, die or grow. Forked by tests; says
 * `{port}` when it listens and answers every message with a report.
 */
import { createIngestServer } from '../../transcoder/ingest/ingest_server.ts';
import { PublishRefused } from '../../transcoder/ingest/publisher.ts';
import type { PublishEnd } from '../../transcoder/ingest/publisher.ts';
import type { IngestCounters } from '../../transcoder/ingest/ingest_counters.ts';

/** What a stream got. */
export interface StreamReport {
  tags: number;
  /** Tags of the healthy publisher that were not the next in its count. */
  strange: number;
  ends: PublishEnd[];
}

export interface IngestReport {
  readonly streams: Readonly<Record<string, StreamReport>>;
  readonly rssBytes: number;
  readonly maxRssBytes: number;
  readonly connections: number;
  readonly counters: IngestCounters;
  readonly logLines: number;
  /** Log lines that hold a key: must stay empty. */
  readonly leakedKeys: number;
}

const streams: Record<string, StreamReport> = {};
const liveKeys = new Set<string>();
let logLines = 0;
let leakedKeys = 0;
let maxRssBytes = 0;

function log(fields: Readonly<Record<string, unknown>>, message: string): void {
  logLines += 1;
  if (/good-|bad-|healthy/.test(JSON.stringify(fields) + message)) leakedKeys += 1;
}

const server = createIngestServer({
  port: 0,
  host: '127.0.0.1',
  logger: { info: log, warn: log, error: log },
  limits: { connections: 400, pendingConnections: 200, bitrate: 40_000_000 },
  timings: {
    handshakeMs: 1200,
    publishMs: 2000,
    silenceMs: 1500,
    pingMs: 500,
    bitrateWindowMs: 1000,
    lingerMs: 500,
    tickMs: 50,
  },
  accept: async ({ streamKey }) => {
    const taken = liveKeys.has(streamKey);
    if (taken || !/^(?:good-|healthy)/.test(streamKey)) {
      throw new PublishRefused('NetStream.Publish.BadName', 'This key is not known or in use.');
    }
    liveKeys.add(streamKey);
    const stream: StreamReport = (streams[streamKey] ??= { tags: 0, strange: 0, ends: [] });
    return {
      media: ({ kind, body }) => {
        // The healthy publisher numbers its video tags behind the five bytes of the AVC header.
        if (streamKey === 'healthy' && (kind !== 'video' || body.readUInt32BE(5) !== stream.tags)) stream.strange += 1;
        stream.tags += 1;
      },
      ended: (end) => {
        liveKeys.delete(streamKey);
        stream.ends.push(end);
      },
    };
  },
});

const { rtmp: port } = await server.listen();
const watch = setInterval(() => (maxRssBytes = Math.max(maxRssBytes, process.memoryUsage.rss())), 20);

process.on('message', (message) => {
  if (message === 'reset-max') maxRssBytes = 0;
  const rssBytes = process.memoryUsage.rss();
  const report: IngestReport = {
    streams,
    rssBytes,
    maxRssBytes: Math.max(maxRssBytes, rssBytes),
    connections: server.connectionCount,
    counters: server.counters,
    logLines,
    leakedKeys,
  };
  process.send?.(report);
});
process.once('disconnect', () => {
  clearInterval(watch);
  void server.close();
});
process.send?.({ port });
