/**
 * Claims of streams that are live on another server: the owner is asked first, and replaced only when it lets go, or
 * when nobody there answers and its lease is old. The registry itself never hands a live stream to another server.
 */
import type { StreamId } from '../contracts/ids.ts';
import type { ClaimReply, ServerAddress } from '../contracts/registry.ts';
import type { Control } from './control.ts';

/** `healthy`: its publisher is there. `letting-go`: it serves the stream no more, or its publisher is away. */
export type OwnerState = 'healthy' | 'letting-go' | 'unreachable';

/** Never rejects. */
export type AskOwner = (address: ServerAddress, streamId: StreamId) => Promise<OwnerState>;

/** A server that does not answer is given up when the registry has not heard of it either for this long, ms. */
const OLD_LEASE_MS = 8_000;

/**
 * `claim` answers `owned` only while the owner may be alive; ask again then.
 * @param control holds the registry
 */
export function createTakeoverControl(control: Control, askOwner: AskOwner): Control {
  return {
    authorizePublish: (request, signal) => control.authorizePublish(request, signal),
    heartbeat: (request) => control.heartbeat(request),
    release: (request) => control.release(request),
    notify: (notification) => control.notify(notification),
    finalizeVod: (request) => control.finalizeVod(request),
    claim: async (request): Promise<ClaimReply> => {
      const reply = await control.claim(request);
      if (reply.outcome !== 'owned' || request.replaces !== undefined) return reply;
      const state = await askOwner(reply.ownerAddress, request.streamId);
      const gone = state === 'letting-go' || (state === 'unreachable' && reply.leaseAgeMs > OLD_LEASE_MS);
      return gone ? control.claim({ ...request, replaces: reply.ownerEpoch }) : reply;
    },
  };
}

export interface AskOwnerOptions {
  /** The token of the fleet's media servers. */
  readonly mediaToken: string | undefined;
  readonly timeoutMs?: number;
}

const TIMEOUT_MS = 500;

/** Reads the stream's status from the owner's media server. */
export function askOwnerOverHttp({ mediaToken, timeoutMs = TIMEOUT_MS }: AskOwnerOptions): AskOwner {
  return async (address, streamId) => {
    try {
      const reply = await fetch(`${address.private.replace(/\/+$/, '')}/${streamId}/status.json`, {
        headers: mediaToken === undefined ? {} : { authorization: `Bearer ${mediaToken}` },
        redirect: 'manual',
        signal: AbortSignal.timeout(timeoutMs),
      });
      if (reply.status === 404) {
        await reply.body?.cancel();
        return 'letting-go';
      }
      if (reply.status !== 200) {
        await reply.body?.cancel();
        return 'unreachable';
      }
      const status: unknown = await reply.json();
      const state = typeof status === 'object' && status !== null && 'state' in status ? status.state : undefined;
      return state === 'live' || state === 'starting' ? 'healthy' : 'letting-go';
    } catch {
      // Refused, reset, late, or no status at all: what counts is that nobody there could say that it is alive.
      return 'unreachable';
    }
  };
}
