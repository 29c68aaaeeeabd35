/**
 * Keeps Amazon ECS from stopping this task, by scaling in or by a deployment, while streams are live: protection in
 * short leases that are renewed, and given back when there are none. Whatever goes wrong, the last lease runs out.
 */
import * as z from 'zod/mini';
import type { Clock } from '../clock.ts';
import type { Logger } from '../logger.ts';

export interface TaskProtectionOptions {
  /** `ECS_AGENT_URI` of the container. */
  readonly agentUri: string;
  /** Whether a stream is live, or waits for its publisher. */
  readonly busy: () => boolean;
  readonly clock: Pick<Clock, 'monotonicMs' | 'after'>;
  readonly logger: Pick<Logger, 'info' | 'warn'>;
}

export interface TaskProtection {
  /** Asks for no more leases; the one that it has runs on, so that streams can be handed over in peace. */
  stop(): void;
}

/** Length of a lease, minutes: a stack update gives up after 3 h, and must never wait for a program that hangs. */
const LEASE_MINUTES = 10;
const RENEW_AFTER_MS = 240_000;
/** How often it is looked whether streams are live. */
const LOOK_MS = 5_000;
const TIMEOUT_MS = 3_000;

/** The agent's answer (Amazon ECS task scale-in protection endpoint): what holds now, or why not. */
const replySchema = z.object({
  protection: z.optional(z.object({ ProtectionEnabled: z.boolean() })),
  failure: z.optional(z.object({ Reason: z.optional(z.string()), Detail: z.optional(z.string()) })),
  error: z.optional(z.object({ Code: z.optional(z.string()), Message: z.optional(z.string()) })),
});

/** Begins at once. */
export function startTaskProtection({ agentUri, busy, clock, logger }: TaskProtectionOptions): TaskProtection {
  let stopped = false;
  let cancel: (() => void) | undefined;
  /** When the lease that it has was given; undefined: it has none. */
  let leasedAtMs: number | undefined;
  const look = async (): Promise<void> => {
    const isBusy = busy();
    const nowMs = clock.monotonicMs();
    const due = isBusy ? leasedAtMs === undefined || nowMs - leasedAtMs >= RENEW_AFTER_MS : leasedAtMs !== undefined;
    if (due) {
      const refused = await setProtection(agentUri, isBusy);
      if (refused === undefined) leasedAtMs = isBusy ? nowMs : undefined;
      // Asked again at the next look: while a lease is refused, a deployment may stop the task, which then hands over.
      else logger.warn({ reason: refused, wanted: isBusy }, 'the protection of the task could not be set');
    }
    if (!stopped) cancel = clock.after(LOOK_MS, () => void look());
  };
  void look();
  return {
    stop: () => {
      stopped = true;
      cancel?.();
    },
  };
}

/** @returns why it was not done, in one line */
async function setProtection(agentUri: string, enabled: boolean): Promise<string | undefined> {
  try {
    const reply = await fetch(`${agentUri}/task-protection/v1/state`, {
      method: 'PUT',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ ProtectionEnabled: enabled, ...(enabled ? { ExpiresInMinutes: LEASE_MINUTES } : {}) }),
      signal: AbortSignal.timeout(TIMEOUT_MS),
    });
    const { protection, failure, error } = z.parse(replySchema, await reply.json());
    if (reply.status === 200 && protection?.ProtectionEnabled === enabled) return undefined;
    return failure?.Reason ?? error?.Code ?? `the agent answered ${reply.status}`;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}
