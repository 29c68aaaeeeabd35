/**
 * Everything that an edge needs around it, real: a media server with a live stream, a resolver, and the edge itself as
 * a process on one of its runtimes.
 */
import { LiveFixture, recordOf, startOrigin, startResolver } from './live_fixture.ts';
import type { FixtureOptions, Origin, Resolver } from './live_fixture.ts';
import { startEdgeProcess } from './edge_process.ts';
import type { EdgeProcess, Runtime } from './edge_process.ts';

const MEDIA_TOKEN = 'media-token-of-the-tests';
const RESOLVE_TOKEN = 'resolve-token-of-the-tests';

export interface EdgeBench {
  readonly fixture: LiveFixture;
  readonly origin: Origin;
  readonly resolver: Resolver;
  readonly edge: EdgeProcess;
  get(path: string, init?: RequestInit): Promise<Response>;
  stop(): Promise<number | null>;
}

export async function startEdgeBench(
  runtime: Runtime,
  options: FixtureOptions = {},
  env: Readonly<Record<string, string>> = {},
): Promise<EdgeBench> {
  const fixture = new LiveFixture(options);
  const origin = await startOrigin([fixture], { mediaToken: MEDIA_TOKEN });
  const resolver = await startResolver(RESOLVE_TOKEN);
  resolver.records.set(fixture.streamId, recordOf(fixture, origin.url));
  const edge = await startEdgeProcess(runtime, {
    HW_RESOLVE_URL: resolver.url,
    HW_RESOLVE_TOKEN: RESOLVE_TOKEN,
    HW_MEDIA_TOKEN: MEDIA_TOKEN,
    ...env,
  });
  return {
    fixture,
    origin,
    resolver,
    edge,
    get: async (path, init) => fetch(`${edge.url}${path}`, { redirect: 'manual', ...init }),
    stop: async () => {
      const code = await edge.stop();
      await resolver.close();
      await origin.server.close(0);
      return code;
    },
  };
}

/** A second origin with the same stream under a newer epoch: what a failover leaves behind. */
export async function startSuccessor(bench: EdgeBench): Promise<{ fixture: LiveFixture; origin: Origin }> {
  const fixture = new LiveFixture({
    epoch: bench.fixture.epoch + 1,
    firstMsn: bench.fixture.position.msn + 3,
  });
  return { fixture, origin: await startOrigin([fixture], { mediaToken: MEDIA_TOKEN }) };
}
