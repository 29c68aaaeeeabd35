/** The registry in memory against the contract and the model. */
import { webcrypto } from 'node:crypto';
import { createMemoryRegistry } from '../../functions/registry/memory_registry.ts';
import { registryContract } from './registry_contract.ts';
import { registryModel } from './registry_model.ts';
import type { RegistryUnderTest } from './registry_under_test.ts';

function makeMemoryRegistry(): Promise<RegistryUnderTest> {
  let nowMs = 1_760_000_000_000;
  const make = () =>
    createMemoryRegistry({
      clock: { nowMs: () => nowMs },
      random: (length) => webcrypto.getRandomValues(new Uint8Array(length)),
      settleMs: 5_000,
    });
  let registry = make();
  return Promise.resolve({
    get registry() {
      return registry;
    },
    nowMs: () => Promise.resolve(nowMs),
    advance: (ms) => {
      nowMs += ms;
      return Promise.resolve();
    },
    empty: () => {
      registry = make();
      return Promise.resolve();
    },
    close: () => Promise.resolve(),
  });
}

registryContract('in memory', makeMemoryRegistry);
registryModel('in memory', makeMemoryRegistry, { runs: 3_000 });
