/**
 * Fetches one object from the server that a record names: picks the address, refuses the ones that may not be
 * followed, and sorts what comes back.
 */
import { UPSTREAM_HEADER } from '../../contracts/edge_dependencies.ts';
import type { EdgeDependencies, UpstreamReply } from '../../contracts/edge_dependencies.ts';
import { isEpoch } from '../../contracts/ids.ts';
import type { Epoch } from '../../contracts/ids.ts';
import type { PlaylistPosition } from '../../contracts/playlist_query.ts';
import type { ServerAddress, StreamRecord, StreamState } from '../../contracts/registry.ts';
import type { EdgeCounters } from './edge_counters.ts';
import type { AddressFilter } from './upstream_allow.ts';

export type UpstreamOutcome =
  | { readonly kind: 'found'; readonly reply: UpstreamReply }
  | { readonly kind: 'not-found' }
  /** 400: `_HLS_msn` lies too far ahead of what that server knows. */
  | { readonly kind: 'too-far' }
  /** Unreachable, too slow, broken, or an address that is not followed. */
  | { readonly kind: 'failed' };

export interface UpstreamReaderOptions {
  readonly fetchUpstream: EdgeDependencies['fetchUpstream'];
  readonly base: 'private' | 'public';
  readonly mayFollow: AddressFilter;
  readonly counters: EdgeCounters;
  /** One line for the log; holds no token and no query. */
  readonly onFailure: (reason: string, error?: unknown) => void;
}

export class UpstreamReader {
  readonly #options: UpstreamReaderOptions;

  constructor(options: UpstreamReaderOptions) {
    this.#options = options;
  }

  /** The base URL at which this edge reaches the server; undefined: it has none for us, or one we do not follow. */
  baseOf(address: ServerAddress): string | undefined {
    const base = this.#options.base === 'public' ? address.public : address.private;
    if (base === undefined) return undefined;
    return this.#options.mayFollow(base) ? base.replace(/\/+$/, '') : undefined;
  }

  /** @param target path and query, beginning with a slash */
  async read(
    address: ServerAddress,
    target: string,
    limits: { readonly timeoutMs: number; readonly maxBytes: number },
  ): Promise<UpstreamOutcome> {
    const { counters, onFailure } = this.#options;
    const base = this.baseOf(address);
    if (base === undefined) {
      counters.upstreamRefused += 1;
      onFailure('the registry names an address that HW_UPSTREAM_ALLOW does not allow');
      return { kind: 'failed' };
    }
    counters.upstreamRequests += 1;
    try {
      const reply = await this.#options.fetchUpstream(`${base}${target}`, limits);
      if (reply.status === 200) return { kind: 'found', reply };
      if (reply.status === 404) return { kind: 'not-found' };
      if (reply.status === 400) return { kind: 'too-far' };
      onFailure(`a media server answered ${reply.status}`);
    } catch (error) {
      onFailure('a media server could not be read', error);
    }
    counters.upstreamFailures += 1;
    return { kind: 'failed' };
  }
}

const STATES: readonly StreamState[] = ['live', 'interrupted', 'ended'];

/** What a media server says about a playlist in its headers. */
export interface PlaylistFacts {
  readonly epoch: Epoch;
  readonly position: PlaylistPosition;
  readonly state: StreamState;
  /** s */
  readonly targetDuration: number;
}

/** @returns undefined when a header is missing or makes no sense: not a reply of our media server */
export function readPlaylistFacts(headers: Readonly<Record<string, string>>): PlaylistFacts | undefined {
  const position = /^([0-9]{1,15})\.([0-9]{1,6})$/.exec(headers[UPSTREAM_HEADER.edgePosition] ?? '');
  const state = STATES.find((candidate) => candidate === headers[UPSTREAM_HEADER.state]);
  const targetDuration = Number(headers[UPSTREAM_HEADER.targetDuration]);
  const epoch = Number(headers[UPSTREAM_HEADER.epoch]);
  if (position === null || state === undefined || !(targetDuration > 0) || !isEpoch(epoch)) return undefined;
  return {
    epoch,
    position: { msn: Number(position[1]), parts: Number(position[2]) },
    state,
    targetDuration,
  };
}

/** The server that holds an epoch's media: its owner then, or the owner now when nobody else is named. */
export function holderOf(record: StreamRecord, epoch: Epoch): ServerAddress {
  if (epoch === record.epoch) return record.address;
  return record.previous.find((owner) => owner.epoch === epoch)?.address ?? record.address;
}
