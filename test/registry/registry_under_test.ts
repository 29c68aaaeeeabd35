/**
 * What the registry's contract suite and model need of an implementation: the registry, and power over its time and
 * memory.
 */
import type { ClaimReply, ClaimRequest } from '../../contracts/registry.ts';
import type { FleetRegistry } from '../../functions/registry/fleet_registry.ts';

export interface RegistryUnderTest {
  /** Waits 5 s after it was found empty, has a reconnect window of 60 s. */
  readonly registry: FleetRegistry;
  /** ms since 1970 by the registry's clock. */
  readonly nowMs: () => Promise<number>;
  /** Moves the registry's clock on. What would have expired by then is gone. */
  readonly advance: (ms: number) => Promise<void>;
  /** Forgets everything, as FLUSHALL does. */
  readonly empty: () => Promise<void>;
  /** A stream of which nothing is heard for longer than this may be forgotten, ms; undefined: none is in a test's time. */
  readonly forgetsAfterMs?: number;
  readonly close: () => Promise<void>;
}

export type MakeRegistry = () => Promise<RegistryUnderTest>;

/** What a test of the contract is given: the registry, settled, and a claim that must be granted. */
export interface ContractSubject {
  readonly made: RegistryUnderTest;
  readonly granted: (request: ClaimRequest) => Promise<Extract<ClaimReply, { outcome: 'granted' }>>;
}
