/**
 * A fleet on this machine: Redis, the functions behind the local Invoke endpoint, some transcoders and an edge, each a
 * process of its own with nothing in common but sockets.
 */
import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import type { StreamStatus } from '../../contracts/status.ts';
import { CheckingViewer } from '../one_machine/checking_viewer.ts';
import { startRedis } from '../registry/redis_server.ts';
import type { RedisServer } from '../registry/redis_server.ts';
import { startProgram } from './program.ts';
import type { Program } from './program.ts';

export interface FleetOptions {
  /** Each gets a stream key. */
  readonly streamIds: readonly string[];
  readonly transcoders: number;
  /** For all transcoders; the functions are told what of it they share with them. */
  readonly env?: Readonly<Record<string, string>>;
  /** For the edge. */
  readonly edgeEnv?: Readonly<Record<string, string>>;
}

type Environment = Readonly<Record<string, string>>;

/** What all programs of the fleet are told. */
const SHARED: Environment = {
  AWS_REGION: 'eu-central-1',
  AWS_ACCESS_KEY_ID: 'AKIDEXAMPLE',
  AWS_SECRET_ACCESS_KEY: 'an-example-of-a-secret',
  HW_METRICS_PORT: '0',
};
/** Settings of the transcoders that the functions must agree with. */
const OF_FUNCTIONS_TOO = ['HW_RECONNECT_WINDOW', 'HW_GOODBYE_WINDOW', 'HW_RECORDING_STORE'];
const RESOLVE_TOKEN = 'a-token-of-the-edges';
const MEDIA_TOKEN = 'a-token-of-the-media-servers';

export class Fleet {
  readonly redis: RedisServer;
  readonly functions: Program;
  readonly edge: Program;
  /** By the order of their start; those that were ended stay in it. */
  readonly transcoders: Program[] = [];
  readonly #viewers: CheckingViewer[] = [];
  readonly #env: Environment;

  private constructor(redis: RedisServer, functions: Program, edge: Program, env: Environment) {
    this.redis = redis;
    this.functions = functions;
    this.edge = edge;
    this.#env = env;
  }

  static async start({ streamIds, transcoders, env = {}, edgeEnv = {} }: FleetOptions): Promise<Fleet> {
    const redis = await startRedis('alone');
    // It counts as long known: claims in an empty registry would wait for heartbeats of streams that it might have lost.
    await redis.nodes[0]?.set('hw:boot', String(Date.now() - 60_000));
    const functions = await startProgram('local/functions.ts', {
      ...SHARED,
      HW_FUNCTIONS_PORT: '0',
      REDIS_URL: redis.url,
      HW_RESOLVE_TOKEN: RESOLVE_TOKEN,
      HW_STREAM_KEYS: streamIds.map((streamId) => `${streamId}=${keyOf(streamId)}`).join(','),
      ...Object.fromEntries(OF_FUNCTIONS_TOO.flatMap((name) => (env[name] === undefined ? [] : [[name, env[name]]]))),
    });
    const edge = await startProgram('origin-edge/entry/node.ts', {
      HW_METRICS_PORT: '0',
      HW_EDGE_PORT: '0',
      HW_RESOLVE_URL: `http://127.0.0.1:${functions.ports['functions']}/resolve`,
      HW_RESOLVE_TOKEN: RESOLVE_TOKEN,
      HW_MEDIA_TOKEN: MEDIA_TOKEN,
      ...edgeEnv,
    });
    const fleet = new Fleet(redis, functions, edge, {
      ...SHARED,
      HW_CONTROL: 'lambda',
      AWS_ENDPOINT_URL_LAMBDA: `http://127.0.0.1:${functions.ports['functions']}`,
      HW_RTMP_PORT: '0',
      HW_MEDIA_PORT: '0',
      HW_MEDIA_TOKEN: MEDIA_TOKEN,
      HW_RECORD: 'off',
      ...env,
    });
    try {
      const started = Array.from({ length: transcoders }, (_, index) => fleet.#startTranscoder(`t${index + 1}`, {}));
      fleet.transcoders.push(...(await Promise.all(started)));
    } catch (error) {
      await fleet.close();
      throw error;
    }
    return fleet;
  }

  get origin(): string {
    return `http://127.0.0.1:${this.edge.ports['edge']}`;
  }

  /** One more, or one in the place of another. */
  async addTranscoder(serverId: string, env: Environment = {}): Promise<Program> {
    const program = await this.#startTranscoder(serverId, env);
    this.transcoders.push(program);
    return program;
  }

  /** @throws RangeError when there are fewer */
  transcoder(index: number): Program {
    const program = this.transcoders[index];
    if (program === undefined) throw new RangeError(`got ${index}, wanted one of ${this.transcoders.length}`);
    return program;
  }

  /** The RTMP port of the n-th transcoder, from 0. */
  rtmpPort(index: number): number {
    return this.transcoder(index).ports['rtmp'] ?? 0;
  }

  /** The lines of a transcoder's log that have this message. */
  logged(index: number, message: string): readonly Readonly<Record<string, unknown>>[] {
    return this.transcoder(index)
      .log()
      .split('\n')
      .filter((line) => line.includes(`"msg":"${message}`))
      .map((line) => JSON.parse(line) as Record<string, unknown>);
  }

  follow(streamId: string, rendition = '180p', mayJump = false): CheckingViewer {
    const viewer = CheckingViewer.follow({ origin: this.origin, streamId, rendition, mayJump });
    this.#viewers.push(viewer);
    return viewer;
  }

  /** Undefined when nothing is known of the stream. */
  async status(streamId: string): Promise<StreamStatus | undefined> {
    const reply = await fetch(`${this.origin}/${streamId}/status.json`);
    const body = await reply.text();
    return reply.status === 200 ? (JSON.parse(body) as StreamStatus) : undefined;
  }

  /** What a person does by `npm run hw -- …`. @returns what it prints */
  async operate(...args: readonly string[]): Promise<string> {
    const { stdout } = await promisify(execFile)(process.execPath, ['local/hw.ts', ...args], {
      cwd: fileURLToPath(new URL('../..', import.meta.url)),
      env: { PATH: process.env['PATH'], ...this.#env },
    });
    return stdout;
  }

  /** Ends all of it at once. */
  async close(): Promise<void> {
    await Promise.all(this.#viewers.map((viewer) => viewer.stop()));
    await Promise.all([...this.transcoders, this.edge, this.functions].map((program) => program.stop('SIGKILL')));
    await this.redis.stop();
  }

  #startTranscoder(serverId: string, env: Environment): Promise<Program> {
    return startProgram('transcoder/main.ts', { ...this.#env, HW_SERVER_ID: serverId, ...env });
  }
}

export function keyOf(streamId: string): string {
  return `key-of-${streamId}-that-nobody-sees`;
}
