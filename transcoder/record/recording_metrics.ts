/**
 * The recorder's figures for Prometheus.
 */
import { Counter, Gauge } from 'prom-client';
import type { Registry } from 'prom-client';
import type { Recorder } from './recorder.ts';

type Figures = Recorder['figures'];
type Shown = readonly (readonly [key: keyof Figures, name: string, help: string])[];

const COUNTERS: Shown = [
  ['stored', 'stored_objects_total', 'Objects that the recording store has taken.'],
  ['storedBytes', 'stored_bytes_total', 'Bytes that the recording store has taken.'],
  ['lost', 'lost_objects_total', 'Objects of recordings that could be kept nowhere.'],
  ['lostBytes', 'lost_bytes_total', 'Bytes of recordings that could be kept nowhere.'],
  ['failures', 'failures_total', 'Attempts to store an object that failed.'],
  ['spilled', 'spilled_objects_total', 'Objects that were put on disk until the store takes them.'],
  ['spilledBytes', 'spilled_bytes_total', 'Bytes that were put on disk until the store takes them.'],
];
const GAUGES: Shown = [
  ['waiting', 'waiting_objects', 'Objects that wait for the recording store.'],
  ['memoryBytes', 'memory_bytes', 'Bytes that wait for the recording store in memory.'],
  ['diskBytes', 'disk_bytes', 'Bytes that wait for the recording store on disk.'],
  ['failing', 'failing_sessions', 'Sessions whose recording is failing now.'],
];

/** Registers `headwater_recording_…`, read when it is collected; zeros when nothing is recorded. */
export function registerRecordingMetrics(registry: Registry, recorder: Recorder | undefined): void {
  for (const [key, name, help] of COUNTERS) {
    registry.registerMetric(
      new Counter({
        name: `headwater_recording_${name}`,
        help,
        registers: [],
        collect() {
          this.reset();
          this.inc(recorder?.figures[key] ?? 0);
        },
      }),
    );
  }
  for (const [key, name, help] of GAUGES) {
    registry.registerMetric(
      new Gauge({
        name: `headwater_recording_${name}`,
        help,
        registers: [],
        collect() {
          this.set(recorder?.figures[key] ?? 0);
        },
      }),
    );
  }
}
