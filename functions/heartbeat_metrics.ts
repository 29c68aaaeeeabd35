/**
 * What the fleet is scaled by, out of each heartbeat: how many streams a server carries, as a metric of CloudWatch
 * (Embedded Metric Format, specification 0). stack/transcoder.yml tracks its average, stack/alarms.yml its absence.
 */
import type { HeartbeatRequest } from '../contracts/registry.ts';

/**
 * Undefined for a server that is draining: what it has left says nothing about how many servers are wanted.
 * @param fleet tells the stages of one account apart
 * @param atMs ms since 1970
 */
export function heartbeatMetrics(
  fleet: string,
  atMs: number,
  { capacity }: Pick<HeartbeatRequest, 'capacity'>,
): Readonly<Record<string, unknown>> | undefined {
  if (capacity.draining) return undefined;
  return {
    _aws: {
      Timestamp: Math.floor(atMs),
      CloudWatchMetrics: [
        {
          Namespace: 'Headwater',
          Dimensions: [['fleet']],
          Metrics: [{ Name: 'StreamsPerServer', Unit: 'Count' }],
        },
      ],
    },
    fleet,
    StreamsPerServer: capacity.streams,
  };
}
