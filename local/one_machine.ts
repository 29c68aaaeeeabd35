/**
 * The whole system in one process: transcoder, the functions' handlers, the registry in memory, and the edge.
 */
import { randomBytes } from 'node:crypto';
import { cpus } from 'node:os';
import { join, resolve as resolvePath } from 'node:path';
import { Registry } from 'prom-client';
import { SETTINGS, SETTING_NAMES } from '../contracts/setting_table.ts';
import { readSettings, refuseUnknownSettings, SettingError } from '../contracts/settings.ts';
import type { RecordingStore } from '../contracts/recording_store.ts';
import { createAuthorizePublish } from '../functions/authorize_publish.ts';
import { createControlPlane } from '../functions/control_plane.ts';
import { createFinalizeVod } from '../functions/finalize_vod.ts';
import type { AnnounceVod } from '../functions/finalize_vod.ts';
import { createPublishWebhook } from '../functions/publish_webhook.ts';
import { createMemoryRegistry } from '../functions/registry/memory_registry.ts';
import { parseStaticKeys } from '../functions/static_keys.ts';
import { createWebhookSigner } from '../functions/webhook_signature.ts';
import { playbackFromSettings } from '../origin-edge/entry/playback_from_settings.ts';
import { recordingsFromEnvironment } from '../origin-edge/entry/recordings_from_environment.ts';
import { startEdge } from '../origin-edge/entry/start_edge.ts';
import type { EdgeOptions } from '../origin-edge/entry/start_edge.ts';
import { openStore } from '../storage/open_store.ts';
import { systemClock } from '../transcoder/clock.ts';
import type { Control } from '../transcoder/control.ts';
import { probeFfmpeg } from '../transcoder/encode/ffmpeg_probe.ts';
import type { Logger } from '../transcoder/logger.ts';
import { startTracing } from '../transcoder/trace/tracing.ts';
import { named, startTranscoder } from '../transcoder/transcoder.ts';
import type { Transcoder } from '../transcoder/transcoder.ts';
import { readTranscoderSettings } from '../transcoder/transcoder_settings.ts';
import { openByHand } from './by_hand.ts';
import { readOrMakeDemoKey } from './demo_key.ts';
import type { KeyFile } from './demo_key.ts';
import { openLocalEvents } from './local_events.ts';
import { startMetrics } from './metrics.ts';
import { RecordingKeeper } from './recording_keeper.ts';

export interface OneMachine {
  readonly ports: {
    readonly rtmp: number;
    readonly rtmps?: number;
    readonly media: number;
    readonly edge: number;
    readonly metrics?: number;
  };
  readonly bind: string;
  /** Where the key of the stream `demo` is kept; undefined when the operator set keys or a webhook. */
  readonly demoKey: KeyFile | undefined;
  readonly transcoder: Transcoder;
  close(): Promise<void>;
}

type Environment = Readonly<Record<string, string | undefined>>;
type SettingValues = ReturnType<typeof readSettings<typeof SETTINGS>>;
type LocalLog = (level: 'info' | 'warn' | 'error', message: string, fields: Readonly<Record<string, unknown>>) => void;

/** How often events that the queue did not take at once are handed to it again, ms. */
const SWEEP_EVERY_MS = 60_000;

/** @throws Error in one line: a bad setting, a taken port, an FFmpeg that cannot be used */
export async function startOneMachine(env: Environment, logger: Logger): Promise<OneMachine> {
  const { values, mediaToken, settings } = readMachine(env);
  await probeFfmpeg(settings.ffmpeg);
  const { demoKey, authorizePublish } = await readAuthorization(env);
  const { registry, control, recordings, recordingStore, ...side } = await startControlSide(
    { values, reconnectWindowMs: settings.stream.reconnectWindowMs, authorizePublish },
    logger,
  );
  const closers = [side.close];
  const close = async () => {
    for (const closeNext of closers.splice(0)) await closeNext();
  };
  try {
    const tracing = startTracing(env, { serverId: settings.serverId, clock: systemClock, logger });
    const transcoder = await startTranscoder(settings, { control, clock: systemClock, logger, recordings, tracing });
    // First: its last segments and events go through what closes after it.
    closers.unshift(() => transcoder.close());
    const resolve: EdgeOptions['resolve'] = (streamId) => registry.resolve(streamId);
    const viewers = await startForViewers(
      { env, values, mediaToken, recordingStore, resolve, transcoder, logger },
      closers,
    );
    const ports = { ...transcoder.ports, ...viewers };
    return { bind: values.bind, demoKey, transcoder, ports, close };
  } catch (error) {
    await close();
    throw error;
  }
}

/** @throws SettingError in one line */
function readMachine(env: Environment) {
  refuseUnknownSettings(SETTING_NAMES, env);
  const values = readSettings(SETTINGS, env);
  if (values.control !== 'embedded') {
    throw new SettingError(`HW_CONTROL: got "${values.control}", wanted embedded; npm run transcoder runs with lambda`);
  }
  // Edge and media server share this process's secrets: without a token set, one is made for this run.
  const mediaToken = values.mediaToken ?? randomBytes(24).toString('base64url');
  const settings = readTranscoderSettings(
    { ...env, HW_MEDIA_TOKEN: mediaToken, PORT: undefined },
    { cpus: cpus().length, randomId: () => `local-${randomBytes(4).toString('hex')}` },
  );
  return { values, mediaToken, settings };
}

interface ControlSideOptions {
  readonly values: SettingValues;
  readonly reconnectWindowMs: number;
  readonly authorizePublish: Control['authorizePublish'];
}

/** What the functions do in the cloud: the registry, the events, and the recordings' end. */
async function startControlSide({ values, reconnectWindowMs, authorizePublish }: ControlSideOptions, logger: Logger) {
  const recordingStore = values.recordingStore ?? `file:${join(values.dataDir, 'recordings')}`;
  const recordings = openStore(recordingStore, { s3Endpoint: values.s3Endpoint });
  const registry = createMemoryRegistry({
    clock: { nowMs: () => Date.now() },
    random: (length) => randomBytes(length),
    reconnectWindowMs,
  });
  const log: LocalLog = (level, message, fields) => logger[level](fields, message);
  const events = await openLocalEvents(values, log);
  // Before their recordings are said to be ready.
  await events.endLeftSessions();
  const { pumped, pump, announceVod } = createControlPlane({ registry, queue: events.queue, log });
  const keeper = keepRecordings(recordings, values.recordingStore, announceVod, logger);
  const control: Control = { ...pumped, authorizePublish, finalizeVod: keeper.finalizeVod };
  const cancelSweep = systemClock.every(SWEEP_EVERY_MS, () => void pump.sweep());
  keeper.start();
  const closeByHand = await openByHand({
    registry,
    pump,
    log,
    dataDir: values.dataDir,
    functionPrefix: values.functionPrefix,
  });
  const close = async () => {
    await closeByHand();
    await keeper.close();
    recordings.close();
    cancelSweep();
    await events.close();
  };
  return { registry, control, recordings, recordingStore, close };
}

interface ViewerSide {
  readonly env: Environment;
  readonly values: SettingValues;
  readonly mediaToken: string;
  /** Where recordings are. */
  readonly recordingStore: string;
  readonly resolve: EdgeOptions['resolve'];
  readonly transcoder: Transcoder;
  readonly logger: Logger;
}

/** Edge and metrics. @param closers what ends them is added here. @returns their ports */
async function startForViewers(
  { env, values, mediaToken, recordingStore, resolve, transcoder, logger }: ViewerSide,
  closers: (() => Promise<void>)[],
): Promise<Pick<OneMachine['ports'], 'edge' | 'metrics'>> {
  const prometheus = new Registry();
  const edge = await startEdge({
    port: values.edgePort,
    host: values.bind,
    resolve,
    mediaToken,
    verifyPlayback: await playbackFromSettings(values),
    recordings: recordingsFromEnvironment({ ...env, [SETTINGS.recordingStore.name]: recordingStore }),
    rewindSeconds: values.rewindWindow,
    // Its own media server and nothing else.
    upstreamAllow: new URL(transcoder.address.private).hostname.replaceAll(/[[\]]/g, ''),
    metrics: prometheus,
    log: (level, message, fields) => logger[level](fields ?? {}, message),
  }).catch(named('HW_EDGE_PORT', values.edgePort));
  closers.push(() => edge.close());
  const portIsSet = (env[SETTINGS.metricsPort.name] ?? '') !== '';
  const metrics = await startMetrics({
    port: values.metricsPort,
    portIsSet,
    registry: prometheus,
    transcoder,
    edge,
    logger,
  });
  if (metrics !== undefined) closers.push(() => metrics.close());
  return { edge: edge.port, ...(metrics === undefined ? {} : { metrics: metrics.port }) };
}

function keepRecordings(store: RecordingStore, location: string | undefined, announce: AnnounceVod, logger: Logger) {
  return new RecordingKeeper({
    store,
    finalize: createFinalizeVod({
      store,
      announce,
      log: (level, message, fields) => logger[level](fields, message),
    }),
    isShared: location?.startsWith('s3:') === true,
    clock: systemClock,
    logger,
  });
}

/** Who may publish: the webhook if one is set, else the keys that are set, else one key that is made and kept. */
async function readAuthorization(env: Environment) {
  const values = readSettings(SETTINGS, env);
  if (values.authWebhookUrl !== undefined) {
    const { authWebhookSecret } = values;
    const webhook = createPublishWebhook({
      url: new URL(values.authWebhookUrl),
      signer:
        authWebhookSecret === undefined ? undefined : createWebhookSigner(authWebhookSecret, 'HW_AUTH_WEBHOOK_SECRET'),
      allowPrivate: values.webhookAllowPrivate,
      clock: { nowMs: () => Date.now() },
      makeId: () => `msg_${randomBytes(16).toString('base64url')}`,
    });
    return { demoKey: undefined, authorizePublish: createAuthorizePublish({ webhook }) };
  }
  if (values.streamKeys !== undefined) {
    const staticKeys = parseStaticKeys(values.streamKeys);
    return { demoKey: undefined, authorizePublish: createAuthorizePublish({ staticKeys }) };
  }
  const demoKey = await readOrMakeDemoKey(resolvePath(values.dataDir));
  const staticKeys = parseStaticKeys(`demo=${demoKey.streamKey}`);
  return { demoKey, authorizePublish: createAuthorizePublish({ staticKeys }) };
}
