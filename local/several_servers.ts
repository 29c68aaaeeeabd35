/**
 * `script/server --servers N`: N transcoders as processes of their own beside the functions and the edge in this one, so
 * that one can be killed and everybody sees what happens then.
 */
import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { join, resolve as resolvePath } from 'node:path';
import { createInterface } from 'node:readline';
import { SETTINGS, SETTING_NAMES } from '../contracts/setting_table.ts';
import { readSettings, refuseUnknownSettings } from '../contracts/settings.ts';
import { parseStreamId } from '../contracts/ids.ts';
import type { FunctionLog } from '../functions/function_log.ts';
import { playbackFromSettings } from '../origin-edge/entry/playback_from_settings.ts';
import { recordingsFromEnvironment } from '../origin-edge/entry/recordings_from_environment.ts';
import { startEdge } from '../origin-edge/entry/start_edge.ts';
import { resolveOverHttp } from '../origin-edge/src/resolve_over_http.ts';
import { systemClock } from '../transcoder/clock.ts';
import type { Logger } from '../transcoder/logger.ts';
import { leaveWord } from './by_hand.ts';
import type { ControlPoint } from './control_file.ts';
import { readOrMakeDemoKey } from './demo_key.ts';
import type { KeyFile } from './demo_key.ts';
import { startFunctions } from './functions.ts';
import { publishReconnecting } from './reconnecting_publisher.ts';

export interface ServerProcess {
  readonly serverId: string;
  readonly pid: number;
  readonly ports: { readonly rtmp: number; readonly media: number };
}

export interface SeveralServers {
  readonly bind: string;
  readonly ports: { readonly edge: number; readonly functions: number };
  readonly demoKey: KeyFile | undefined;
  /** Those that run now; one that was killed comes back under another name. */
  servers(): readonly ServerProcess[];
  /** Which one serves a stream now. */
  serving(streamId: string): Promise<ServerProcess | undefined>;
  close(): Promise<void>;
}

type Environment = Readonly<Record<string, string | undefined>>;

/** Between the ports of one server and the next. */
const PORT_STEP = 10;
/** A server that was killed is started again after this time, ms: the show must first have found the other one. */
const REVIVE_MS = 15_000;
const TRANSCODER = resolvePath(import.meta.dirname, '../transcoder/main.ts');

/** @throws Error in one line: a bad setting, a taken port, an FFmpeg that cannot be used */
export async function startSeveralServers(
  given: Environment,
  count: number,
  demo: boolean,
  logger: Logger,
): Promise<SeveralServers> {
  refuseUnknownSettings(SETTING_NAMES, given);
  const { env, demoKey } = await completeEnvironment(given);
  if (demo && demoKey === undefined)
    throw new Error('--demo publishes with its own key: leave HW_STREAM_KEYS and HW_AUTH_WEBHOOK_URL unset');
  const values = readSettings(SETTINGS, env);
  const closers: (() => Promise<unknown>)[] = [];
  const close = async () => {
    for (const closeNext of closers.splice(0).toReversed()) await closeNext();
  };
  try {
    const log: FunctionLog = (level, message, fields) => logger[level](fields, message);
    const functions = await startFunctions(env, log);
    closers.push(() => functions.close());
    const origin = `http://127.0.0.1:${functions.port}`;
    closers.push(await leaveWord({ dataDir: values.dataDir, log }, pointAt(origin, given, env)));
    const fleet = new LocalFleet({ ...env, AWS_ENDPOINT_URL_LAMBDA: origin }, logger);
    closers.push(() => fleet.close());
    await fleet.start(count);
    const resolve = resolveOverHttp({ url: `${origin}/resolve`, token: values.resolveToken });
    const edge = await startEdge({
      port: values.edgePort,
      host: values.bind,
      resolve,
      mediaToken: values.mediaToken,
      verifyPlayback: await playbackFromSettings(values),
      recordings: recordingsFromEnvironment(env),
      rewindSeconds: values.rewindWindow,
      upstreamAllow: values.upstreamAllow,
      log,
    });
    closers.push(() => edge.close());
    if (demo && demoKey !== undefined) {
      const { streamKey } = demoKey;
      const ports = () => fleet.servers.map((server) => server.ports.rtmp);
      const stop = publishReconnecting({ ffmpeg: values.ffmpeg, streamKey, logger, ports });
      closers.push(stop);
    }
    return {
      bind: values.bind,
      ports: { edge: edge.port, functions: functions.port },
      demoKey,
      servers: () => fleet.servers,
      serving: async (streamId) => {
        const record = await resolve(parseStreamId(streamId));
        return fleet.servers.find(({ serverId }) => serverId === record?.serverId);
      },
      close,
    };
  } catch (error) {
    await close();
    throw error;
  }
}

/** With the credentials that were made for this run; the operator's own are written nowhere. */
function pointAt(endpoint: string, given: Environment, env: Environment): ControlPoint {
  const { AWS_ACCESS_KEY_ID: accessKeyId, AWS_SECRET_ACCESS_KEY: secretAccessKey } = env;
  const areMade = given['AWS_ACCESS_KEY_ID'] === undefined;
  if (!areMade || accessKeyId === undefined || secretAccessKey === undefined) return { endpoint };
  return { endpoint, credentials: { accessKeyId, secretAccessKey } };
}

/** What one process of the one-machine run knows by itself, and several must be told. */
async function completeEnvironment(given: Environment) {
  const values = readSettings(SETTINGS, given);
  const hasKeys = values.streamKeys !== undefined || values.authWebhookUrl !== undefined;
  const demoKey = hasKeys ? undefined : await readOrMakeDemoKey(resolvePath(values.dataDir));
  const secret = () => randomBytes(24).toString('base64url');
  const env: Environment = {
    ...given,
    HW_CONTROL: 'lambda',
    HW_FUNCTIONS_PORT: given['HW_FUNCTIONS_PORT'] ?? '0',
    HW_MEDIA_TOKEN: values.mediaToken ?? secret(),
    HW_RESOLVE_TOKEN: values.resolveToken ?? secret(),
    HW_RECORDING_STORE: values.recordingStore ?? `file:${resolvePath(join(values.dataDir, 'recordings'))}`,
    // The operator's own if there are any: recordings may go to S3.
    AWS_REGION: given['AWS_REGION'] ?? 'local',
    ...(given['AWS_ACCESS_KEY_ID'] === undefined
      ? { AWS_ACCESS_KEY_ID: 'local', AWS_SECRET_ACCESS_KEY: secret() }
      : {}),
    PORT: undefined,
    ...(demoKey === undefined ? {} : { HW_STREAM_KEYS: `demo=${demoKey.streamKey}` }),
  };
  return { env, demoKey };
}

class LocalFleet {
  readonly #env: Environment;
  readonly #logger: Logger;
  /** All that were started and have not ended, ready or not. */
  readonly #children = new Set<ChildProcess>();
  readonly #ready = new Set<ServerProcess>();
  readonly #cancels = new Set<() => void>();
  #started = 0;
  #closing = false;

  constructor(env: Environment, logger: Logger) {
    this.#env = env;
    this.#logger = logger;
  }

  get servers(): readonly ServerProcess[] {
    return [...this.#ready];
  }

  async start(count: number): Promise<void> {
    await Promise.all(Array.from({ length: count }, (_, slot) => this.#spawn(slot)));
  }

  async close(): Promise<void> {
    this.#closing = true;
    for (const cancel of this.#cancels) cancel();
    // SIGINT: at once. Handing streams over to each other would make no sense now.
    const ends = [...this.#children].map(async (child) => {
      const ended = new Promise((resolve) => child.once('close', resolve));
      child.kill('SIGINT');
      await ended;
    });
    await Promise.all(ends);
  }

  /** @param slot which of the ports it takes */
  async #spawn(slot: number): Promise<void> {
    this.#started += 1;
    const serverId = `server-${this.#started}`;
    const port = (setting: 'rtmpPort' | 'mediaPort' | 'rtmpsPort') => {
      const first = readSettings({ port: SETTINGS[setting] }, this.#env).port;
      return String(first === 0 ? 0 : first + slot * PORT_STEP);
    };
    const child = spawn(process.execPath, [TRANSCODER], {
      // The channel breaks when this process is killed: the server then ends too, instead of keeping its ports.
      stdio: ['ignore', 'pipe', 'inherit', 'ipc'],
      env: {
        ...this.#env,
        HW_SERVER_ID: serverId,
        HW_RTMP_PORT: port('rtmpPort'),
        HW_RTMPS_PORT: port('rtmpsPort'),
        HW_MEDIA_PORT: port('mediaPort'),
        HW_METRICS_PORT: '0',
      },
    });
    this.#children.add(child);
    child.once('close', () => this.#children.delete(child));
    const ended = new Promise<never>((_, reject) => {
      child.once('error', reject);
      child.once('close', (code) => reject(new Error(`${serverId} did not start (code ${code ?? 'none'})`)));
    });
    const { stdout } = child;
    if (stdout === null) throw new Error(`${serverId} was started without an output`);
    const line = new Promise<string>((resolve) => createInterface({ input: stdout }).once('line', resolve));
    const { pid, ports } = JSON.parse(await Promise.race([line, ended])) as ServerProcess;
    // From now on its end is no reason to fail.
    ended.catch(() => undefined);
    const server: ServerProcess = { serverId, pid, ports };
    this.#ready.add(server);
    child.once('close', () => {
      this.#ready.delete(server);
      if (!this.#closing) this.#reviveLater(slot, serverId);
    });
  }

  #reviveLater(slot: number, serverId: string): void {
    this.#logger.warn({ serverId }, 'a server has ended; another one takes its place soon');
    const cancel = systemClock.after(REVIVE_MS, () => {
      this.#cancels.delete(cancel);
      this.#spawn(slot).catch((error: unknown) => {
        this.#logger.error({ err: error }, 'no other server could be started');
      });
    });
    this.#cancels.add(cancel);
  }
}
