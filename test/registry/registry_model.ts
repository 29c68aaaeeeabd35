/**
 * Random histories of a fleet of three servers over one registry, with the promises that must hold in all of them: at
 * most one owner, epochs only rise, MSN never goes back, a healthy publisher is never displaced, a dead one always is,
 * a signed session never becomes public, nobody who lives is reaped, each transition makes one event, in order.
 */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { FleetWorld } from './fleet_world.ts';
import type { FleetStep } from './fleet_parts.ts';
import type { MakeRegistry } from './registry_under_test.ts';

const server = fc.nat(2);
const stream = fc.nat(1);
const step = fc.oneof(
  { weight: 5, arbitrary: fc.record({ do: fc.constant('publish' as const), server, stream, signed: fc.boolean() }) },
  { weight: 4, arbitrary: fc.record({ do: fc.constant('advance' as const), ms: fc.integer({ min: 1, max: 15_000 }) }) },
  {
    weight: 1,
    arbitrary: fc.record({ do: fc.constant('advance' as const), ms: fc.integer({ min: 15_000, max: 200_000 }) }),
  },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('fallSilent' as const), server, stream }) },
  {
    weight: 3,
    arbitrary: fc.record({
      do: fc.constant('release' as const),
      server,
      stream,
      reason: fc.constantFrom('ended' as const, 'interrupted' as const, 'moving' as const),
    }),
  },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('restartEncoder' as const), server, stream }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('loseReply' as const), server, stream }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('crash' as const), server }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('cutOff' as const), server }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('reconnect' as const), server }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('replay' as const), index: fc.nat(1_000) }) },
  {
    weight: 1,
    arbitrary: fc.record({
      do: fc.constant('skewClock' as const),
      server,
      ms: fc.integer({ min: -3_600_000, max: 3_600_000 }),
    }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('empty' as const) }) },
);

export interface ModelOptions {
  readonly runs: number;
  /** Steps of a history at most; 40 unless given. */
  readonly steps?: number;
  /** Every history contains a silence of so many ms of the registry's time. */
  readonly silenceMs?: number;
}

function histories({ steps = 40, silenceMs }: ModelOptions) {
  const plain = fc.array(step, { minLength: 5, maxLength: steps, size: 'max' });
  if (silenceMs === undefined) return plain;
  const silence: FleetStep = { do: 'advance', ms: silenceMs };
  return fc.tuple(plain, fc.nat(steps)).map(([all, at]): FleetStep[] => all.toSpliced(at % all.length, 0, silence));
}

export function registryModel(name: string, makeRegistry: MakeRegistry, options: ModelOptions): void {
  describe(`a fleet on the registry, ${name}`, () => {
    test(`keeps its promises in ${options.runs} random histories`, { timeout: 300_000 }, async () => {
      const details = await fc.check(
        fc.asyncProperty(histories(options), async (steps) => {
          const made = await makeRegistry();
          try {
            const world = new FleetWorld(made);
            await world.start();
            for (const each of steps) await world.take(each);
            await world.finish();
          } finally {
            await made.close();
          }
        }),
        { numRuns: options.runs },
      );
      expect(details.failed ? `${fc.defaultReportMessage(details)}\n${String(details.errorInstance)}` : '').toBe('');
    });
  });
}
