/**
 * What the transcoder counts, for Prometheus: read when it is collected. Labels hold reasons, never a key or an address.
 */
import { Counter, Gauge } from 'prom-client';
import type { Registry } from 'prom-client';
import type { IngestCounters } from './ingest/ingest_counters.ts';
import { registerRecordingMetrics } from './record/recording_metrics.ts';
import { registerRelayMetrics } from './relay/relay_metrics.ts';
import type { Transcoder } from './transcoder.ts';

type Plain = { [Key in keyof IngestCounters]: IngestCounters[Key] extends number ? Key : never }[keyof IngestCounters];

const PLAIN: Readonly<Record<Plain, readonly [name: string, help: string]>> = {
  connections: ['connections_total', 'TCP connections that publishers opened.'],
  passedOn: ['passed_on_total', 'Connections that were passed on to another transcoder.'],
  passOnDeclined: ['pass_on_declined_total', 'Offers of a connection that another transcoder did not take.'],
  fromPeers: ['from_peers_total', 'Connections that another transcoder passed on to this one.'],
  publishes: ['publishes_total', 'Publishers that were let in.'],
  goodbyes: ['goodbyes_total', 'Publishers that said goodbye.'],
  lost: ['lost_total', 'Publishers whose connection was lost.'],
  bytesReceived: ['received_bytes_total', 'Bytes from publishers.'],
  mediaDropped: ['media_dropped_total', 'Media messages from connections that were not live.'],
  metadataIgnored: ['metadata_ignored_total', 'Data messages that are not well-formed onMetaData.'],
  sinkErrors: ['sink_errors_total', 'Errors inside a stream.'],
  socketErrors: ['socket_errors_total', 'Sockets that failed before they became a connection.'],
};

/** Registers all that a transcoder counts on `registry`. */
export function registerTranscoderMetrics(registry: Registry, transcoder: Transcoder): void {
  registerIngestMetrics(registry, transcoder.ingest);
  registerStreamMetrics(registry, transcoder);
  registerRelayMetrics(registry, transcoder.relays);
  registerRecordingMetrics(registry, transcoder.recorder);
}

function registerIngestMetrics(registry: Registry, ingest: Transcoder['ingest']): void {
  for (const [key, [name, help]] of Object.entries(PLAIN) as [Plain, readonly [string, string]][]) {
    registry.registerMetric(
      new Counter({
        name: `headwater_ingest_${name}`,
        help,
        registers: [],
        collect() {
          this.reset();
          this.inc(ingest.counters[key]);
        },
      }),
    );
  }
  for (const [key, name, help, label] of [
    ['refused', 'refused_total', 'Connections that were refused.', 'reason'],
    ['protocolErrors', 'protocol_errors_total', 'Connections that broke the protocol.', 'kind'],
  ] as const) {
    registry.registerMetric(
      new Counter({
        name: `headwater_ingest_${name}`,
        help,
        labelNames: [label],
        registers: [],
        collect() {
          this.reset();
          for (const [value, count] of Object.entries(ingest.counters[key])) this.inc({ [label]: value }, count);
        },
      }),
    );
  }
  registry.registerMetric(
    new Gauge({
      name: 'headwater_ingest_open_connections',
      help: 'Open connections, live or not.',
      registers: [],
      collect() {
        this.set(ingest.connectionCount);
      },
    }),
  );
}

function registerStreamMetrics(registry: Registry, { hub, streams, maxStreams }: Transcoder): void {
  registry.registerMetric(
    new Gauge({
      name: 'headwater_streams',
      help: 'Sessions that have not ended, by state.',
      labelNames: ['state'],
      registers: [],
      collect() {
        for (const state of ['live', 'interrupted'] as const) {
          this.set({ state }, hub.liveStreams.filter((stream) => stream.state === state).length);
        }
      },
    }),
  );
  registry.registerMetric(
    new Gauge({
      name: 'headwater_max_streams',
      help: 'Sessions that this transcoder takes at once.',
      registers: [],
      collect() {
        this.set(maxStreams);
      },
    }),
  );
  for (const [key, name, help] of [
    ['encoderStarts', 'starts_total', 'FFmpeg runs that were begun for ladders.'],
    ['encoderFailures', 'failures_total', 'FFmpeg runs for ladders that ended by themselves or gave nonsense.'],
  ] as const) {
    registry.registerMetric(
      new Counter({
        name: `headwater_encoder_${name}`,
        help,
        registers: [],
        collect() {
          this.reset();
          this.inc(streams[key]);
        },
      }),
    );
  }
}
