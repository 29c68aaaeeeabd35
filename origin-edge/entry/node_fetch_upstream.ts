/**
 * GET from a media server on Node, the whole reply in one buffer: over sockets of our own where the length is announced,
 * as our media server does, else through node:http (TLS, chunked replies). Web streams cost seven to ten times the CPU.
 */
import type { EdgeDependencies } from '../../contracts/edge_dependencies.ts';
import { createUpstreamAgent } from './upstream_agent.ts';
import { UpstreamPool } from './upstream_pool.ts';
import { UnannouncedLength } from './upstream_socket.ts';

export interface NodeUpstream {
  readonly fetchUpstream: EdgeDependencies['fetchUpstream'];
  /** Sockets to media servers, in use and idle. */
  readonly openSockets: () => number;
  /** Ends all of them. */
  readonly close: () => void;
}

/** Servers that are remembered for not announcing lengths. */
const MAX_CHUNKING = 100;

/** @param mediaToken shown as Bearer token */
export function createNodeUpstream(mediaToken: string | undefined): NodeUpstream {
  const headers: Record<string, string> = { 'accept-encoding': 'identity' };
  if (mediaToken !== undefined) headers.authorization = `Bearer ${mediaToken}`;
  const lines = Object.entries(headers)
    .map(([name, value]) => `${name}: ${value}\r\n`)
    .join('');
  const agent = createUpstreamAgent(headers);
  const pool = new UpstreamPool(() => performance.now());
  const chunking = new Set<string>();
  return {
    fetchUpstream: async (url, limits) => {
      const target = new URL(url);
      if (target.protocol !== 'http:' || chunking.has(target.host)) return agent.get(target, limits);
      try {
        return await pool.get(target, lines, limits);
      } catch (error) {
        if (!(error instanceof UnannouncedLength)) throw error;
        if (chunking.size >= MAX_CHUNKING) chunking.clear();
        chunking.add(target.host);
        return agent.get(target, limits);
      }
    },
    openSockets: () => pool.size + agent.openSockets(),
    close: () => {
      pool.close();
      agent.close();
    },
  };
}
