/**
 * The edge's app over a scripted registry and scripted media servers, for unit tests.
 */
import { UPSTREAM_HEADER } from '../../../contracts/edge_dependencies.ts';
import type { UpstreamReply } from '../../../contracts/edge_dependencies.ts';
import { parseEpoch, parseRenditionName, parseSessionId, parseStreamId } from '../../../contracts/ids.ts';
import type { StreamRecord, StreamState } from '../../../contracts/registry.ts';
import { createApp } from '../app.ts';
import type { AppDependencies } from '../app.ts';
import { bytesOf } from '../stored_object.ts';
import { DEFAULT_UPSTREAM_ALLOW, parseUpstreamAllow } from '../upstream_allow.ts';
import { ManualClock } from './manual_clock.ts';

export const STREAM_ID = parseStreamId('demo');

export function record(over: Partial<StreamRecord> & { readonly epochNumber?: number } = {}): StreamRecord {
  const { epochNumber, ...rest } = over;
  return {
    v: 1,
    streamId: STREAM_ID,
    sessionId: parseSessionId('01JBX0000000000000000000AA'),
    epoch: parseEpoch(epochNumber ?? 5),
    state: 'live',
    startedAtMs: 0,
    serverId: 'a',
    address: { private: 'http://10.0.0.1:8000' },
    previous: [],
    playback: 'public',
    renditions: [parseRenditionName('720p')],
    ...rest,
  };
}

export function playlistReply(
  text: string,
  facts: { readonly epoch?: number; readonly position?: string; readonly state?: StreamState } = {},
): UpstreamReply {
  return {
    status: 200,
    headers: {
      etag: `"${text.length}"`,
      [UPSTREAM_HEADER.epoch]: String(facts.epoch ?? 5),
      [UPSTREAM_HEADER.edgePosition]: facts.position ?? '10.2',
      [UPSTREAM_HEADER.state]: facts.state ?? 'live',
      [UPSTREAM_HEADER.targetDuration]: '2',
    },
    body: bytesOf(text),
  };
}

export function reply(status: number, body = '', headers: Record<string, string> = {}): UpstreamReply {
  return { status, headers, body: bytesOf(body) };
}

export interface ScriptedEdge {
  readonly clock: ManualClock;
  /** What the registry says; replaced by the test. */
  registry: AppDependencies['resolve'];
  /** What media servers answer; replaced by the test. */
  upstream: AppDependencies['fetchUpstream'];
  readonly asked: { registry: number; readonly urls: string[] };
  readonly log: string[];
  readonly counters: ReturnType<typeof createApp>['counters'];
  get(path: string, init?: RequestInit): Promise<Response>;
}

export function scriptedEdge(over: Partial<AppDependencies> = {}): ScriptedEdge {
  const clock = new ManualClock();
  const asked: ScriptedEdge['asked'] = { registry: 0, urls: [] };
  const log: string[] = [];
  const { app, counters } = createApp({
    resolve: async (streamId) => {
      asked.registry += 1;
      return edge.registry(streamId);
    },
    fetchUpstream: async (url, limits) => {
      asked.urls.push(url);
      return edge.upstream(url, limits);
    },
    monotonicMs: clock.monotonicMs,
    after: clock.after,
    upstreamBase: 'private',
    mayFollow: parseUpstreamAllow(DEFAULT_UPSTREAM_ALLOW),
    cacheBytes: 2 ** 20,
    log: (level, message, fields) => log.push(`${level} ${message} ${JSON.stringify(fields)}`),
    assets: async () => Promise.resolve({ body: bytesOf('x'), contentType: 'text/plain' }),
    ...over,
  });
  const edge: ScriptedEdge = {
    clock,
    registry: async (streamId) => Promise.resolve(streamId === STREAM_ID ? record() : undefined),
    upstream: async () => Promise.resolve(reply(404)),
    asked,
    log,
    counters,
    get: async (path, init) => app.request(path, init),
  };
  return edge;
}
