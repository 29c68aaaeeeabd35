/**
 * The relays' counters for Prometheus. Labels hold states and classes of failures: neither names nor addresses.
 */
import { Counter, Gauge } from 'prom-client';
import type { Registry } from 'prom-client';
import { RELAY_STATES } from './relay_counters.ts';
import type { RelayCounters } from './relay_counters.ts';

type Plain = 'refused' | 'published' | 'sentBytes' | 'droppedMessages';

const PLAIN: Readonly<Record<Plain, readonly [name: string, help: string]>> = {
  refused: ['refused_total', 'Relay targets that were asked for and may not be used.'],
  published: ['published_total', 'Connections to relay targets that went live.'],
  sentBytes: ['sent_bytes_total', 'Bytes of media handed to the sockets of relay targets.'],
  droppedMessages: ['dropped_messages_total', 'Media messages dropped because a relay target was too far behind.'],
};

/** Registers `headwater_relays` and `headwater_relay_…`, read from `counters` when they are collected. */
export function registerRelayMetrics(registry: Registry, counters: RelayCounters): void {
  registry.registerMetric(
    new Gauge({
      name: 'headwater_relays',
      help: 'Relays of running sessions, by state.',
      labelNames: ['state'],
      registers: [],
      collect() {
        for (const state of RELAY_STATES) this.set({ state }, counters.states[state]);
      },
    }),
  );
  registry.registerMetric(
    new Counter({
      name: 'headwater_relay_failures_total',
      help: 'Attempts and connections of relays that failed, by class.',
      labelNames: ['class'],
      registers: [],
      collect() {
        this.reset();
        for (const [name, count] of Object.entries(counters.failures)) this.inc({ class: name }, count);
      },
    }),
  );
  for (const [key, [name, help]] of Object.entries(PLAIN) as [Plain, readonly [string, string]][]) {
    registry.registerMetric(
      new Counter({
        name: `headwater_relay_${name}`,
        help,
        registers: [],
        collect() {
          this.reset();
          this.inc(counters[key]);
        },
      }),
    );
  }
}
