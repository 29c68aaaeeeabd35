/**
 * Claims of streams that are live on another server: the owner is asked first, and replaced only when it lets go, or
 * when nobody there answers and its lease is old. The registry itself never hands a live stream to another server.
 */
import type { StreamId } from '../contracts/ids.ts';
import type { ClaimReply, ServerAddress } from '../contracts/registry.ts';
import type { Control } from './control.ts';

/**
 * `healthy`: its publisher is there. `letting-go`: it serves the stream no more, or its publisher is away. `gone`: its
 * machine answers that nothing listens there. `unreachable`: nothing answers, or nothing that makes sense.
 */
export type OwnerState = 'healthy' | 'letting-go' | 'gone' | 'unreachable';

/** Never rejects. */
export type AskOwner = (address: ServerAddress, streamId: StreamId) => Promise<OwnerState>;

/**
 * A server that does not answer is given up when the registry has not heard of it either for this long, ms: sooner when
 * its port is closed, for then its program has ended; it must have missed a heartbeat nevertheless, so that a firewall
 * which refuses is no death sentence (docs/decisions/0010).
 */
const OLD_LEASE_MS = { gone: 5_000, unreachable: 8_000 } as const;

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
      const isGivenUp = state === 'letting-go' || (state !== 'healthy' && reply.leaseAgeMs > OLD_LEASE_MS[state]);
      if (isGivenUp) return control.claim({ ...request, replaces: reply.ownerEpoch });
      return { ...reply, ownerHealthy: state === 'healthy' };
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
    } catch (error) {
      // Reset, late, or no status at all: what counts is that nobody there could say that it is alive.
      return isRefused(error) ? 'gone' : 'unreachable';
    }
  };
}

/** What `fetch` throws when the machine answers that the port is closed. */
function isRefused(error: unknown): boolean {
  const cause = error instanceof Error ? (error.cause as NodeJS.ErrnoException | undefined) : undefined;
  return cause?.code === 'ECONNREFUSED';
}
