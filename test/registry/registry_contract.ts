/**
 * What every implementation of the registry must do, by the rules of docs/architecture.md. Runs over memory, Redis
 * alone, Redis with TLS and a Redis cluster.
 */
import { afterEach, beforeEach, describe } from 'vitest';
import { claimContract } from './claim_contract.ts';
import { outboxContract } from './outbox_contract.ts';
import { reapContract } from './reap_contract.ts';
import { heartbeatOf } from './registry_calls.ts';
import { reportContract } from './report_contract.ts';
import type { ContractSubject, MakeRegistry, RegistryUnderTest } from './registry_under_test.ts';

/** Reports to the registry and takes nothing. */
const BYSTANDER = heartbeatOf('bystander', [], {
  capacity: { streams: 0, maxStreams: 0, ready: false, draining: false },
});

export function registryContract(name: string, makeRegistry: MakeRegistry): void {
  describe(`the registry, ${name}`, () => {
    let made: RegistryUnderTest;
    const subject: ContractSubject = {
      get made() {
        return made;
      },
      granted: async (request) => {
        const reply = await made.registry.claim(request);
        if (reply.outcome !== 'granted') throw new Error(`wanted a grant, got ${JSON.stringify(reply)}`);
        return reply;
      },
    };

    beforeEach(async () => {
      made = await makeRegistry();
      await made.registry.heartbeat(BYSTANDER);
      await made.advance(5_001);
    });
    afterEach(async () => {
      await made.close();
    });

    claimContract(subject);
    reportContract(subject);
    outboxContract(subject);
    reapContract(subject);
  });
}
