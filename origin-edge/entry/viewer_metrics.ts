/**
 * What viewers tell the edge, for Prometheus: `headwater_viewer_…` by stream.
 */
import { Counter, Histogram } from 'prom-client';
import type { Registry } from 'prom-client';
import { systemAfter } from '../src/after.ts';
import { ViewerReports } from '../src/viewer_reports.ts';
import type { ViewerReportCounters } from '../src/viewer_reports.ts';

const LABELS = ['stream'] as const;

const REPORT_HELP: Readonly<Record<keyof ViewerReportCounters, string>> = {
  received: 'Requests that carried Common Media Client Data.',
  dropped: 'Of these, not decoded because there were too many at once.',
  malformed: 'Of these, not readable.',
};

/** Registers the metrics on `registry`. Every label is the id of a stream that exists; there are at most 500 of them. */
export function createViewerReports(registry: Registry): ViewerReports {
  const histogram = (name: string, help: string, buckets: number[]): Histogram<'stream'> =>
    new Histogram({
      name: `headwater_viewer_${name}_seconds`,
      help,
      buckets,
      labelNames: LABELS,
      registers: [registry],
    });
  const startup = histogram(
    'startup',
    'From the first request of a player to the first while it plays.',
    [0.25, 0.5, 1, 2, 4, 8, 16],
  );
  const buffer = histogram(
    'buffer',
    'Media that a player has ahead, at each request.',
    [0.25, 0.5, 1, 2, 4, 8, 16, 30],
  );
  const latency = histogram(
    'latency',
    'How far behind live a player is, at each request.',
    [1, 1.5, 2, 3, 5, 8, 15, 30],
  );
  const rebuffers = new Counter({
    name: 'headwater_viewer_rebuffers_total',
    help: 'Requests of players that had run dry since their last one.',
    labelNames: LABELS,
    registers: [registry],
  });
  const reports = new ViewerReports({
    measures: {
      startup: (stream, seconds) => startup.observe({ stream }, seconds),
      buffer: (stream, seconds) => buffer.observe({ stream }, seconds),
      latency: (stream, seconds) => latency.observe({ stream }, seconds),
      rebuffer: (stream) => rebuffers.inc({ stream }),
      forget: (stream) => [startup, buffer, latency, rebuffers].forEach((metric) => metric.remove({ stream })),
    },
    monotonicMs: () => performance.now(),
    after: systemAfter,
  });
  for (const [key, help] of Object.entries(REPORT_HELP) as [keyof ViewerReportCounters, string][]) {
    registry.registerMetric(
      new Counter({
        name: `headwater_viewer_reports_${key}_total`,
        help,
        registers: [],
        collect() {
          this.reset();
          this.inc(reports.counters[key]);
        },
      }),
    );
  }
  return reports;
}
