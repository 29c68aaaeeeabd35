import { expect, test } from 'vitest';
import { heartbeatMetrics } from './heartbeat_metrics.ts';

const capacity = { streams: 3, maxStreams: 8, ready: true, draining: false };

test('a server that takes streams counts with those that it carries, one that drains does not', () => {
  expect(heartbeatMetrics('headwater-prod-', 1_800_000_000_123.4, { capacity })).toEqual({
    _aws: {
      Timestamp: 1_800_000_000_123,
      CloudWatchMetrics: [
        {
          Namespace: 'Headwater',
          Dimensions: [['fleet']],
          Metrics: [{ Name: 'StreamsPerServer', Unit: 'Count' }],
        },
      ],
    },
    fleet: 'headwater-prod-',
    StreamsPerServer: 3,
  });
  expect(heartbeatMetrics('headwater-prod-', 0, { capacity: { ...capacity, draining: true } })).toBeUndefined();
});
