/**
 * The whole system in one process: transcoder, the functions' handlers, the registry in memory, and the edge.
 */
import { randomBytes } from 'node:crypto';
import { cpus } from 'node:os';
import { resolve as resolvePath } from 'node:path';
import { SETTINGS, SETTING_NAMES } from '../contracts/setting_table.ts';
import { readSettings, refuseUnknownSettings, SettingError } from '../contracts/settings.ts';
import { createAuthorizePublish } from '../functions/authorize_publish.ts';
import { createPublishWebhook } from '../functions/publish_webhook.ts';
import { createMemoryRegistry } from '../functions/registry/memory_registry.ts';
import { parseStaticKeys } from '../functions/static_keys.ts';
import { createWebhookSigner } from '../functions/webhook_signature.ts';
import { playbackFromSettings } from '../origin-edge/entry/playback_from_settings.ts';
import { startEdge } from '../origin-edge/entry/start_edge.ts';
import { systemClock } from '../transcoder/clock.ts';
import type { Control } from '../transcoder/control.ts';
import { probeFfmpeg } from '../transcoder/encode/ffmpeg_probe.ts';
import type { Logger } from '../transcoder/logger.ts';
import { named, startTranscoder } from '../transcoder/transcoder.ts';
import type { Transcoder } from '../transcoder/transcoder.ts';
import { readTranscoderSettings } from '../transcoder/transcoder_settings.ts';
import { readOrMakeDemoKey } from './demo_key.ts';
import type { KeyFile } from './demo_key.ts';
import { startMetrics } from './metrics.ts';

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

/** @throws Error in one line: a bad setting, a taken port, an FFmpeg that cannot be used */
export async function startOneMachine(env: Environment, logger: Logger): Promise<OneMachine> {
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
  await probeFfmpeg(settings.ffmpeg);
  const { demoKey, authorizePublish } = await readAuthorization(env);
  const registry = createMemoryRegistry({
    clock: { nowMs: () => Date.now() },
    random: (length) => randomBytes(length),
    reconnectWindowMs: settings.stream.reconnectWindowMs,
  });
  const control: Control = {
    authorizePublish,
    claim: (request) => registry.claim(request),
    heartbeat: (request) => registry.heartbeat(request),
    release: (request) => registry.release(request),
    notify: () => Promise.resolve({ outcome: 'noted' }),
    finalizeVod: () => Promise.resolve(),
  };
  const closers: (() => Promise<void>)[] = [];
  const close = async () => {
    for (const closeNext of closers.splice(0)) await closeNext();
  };
  try {
    const transcoder = await startTranscoder(settings, { control, clock: systemClock, logger });
    closers.push(() => transcoder.close());
    const edge = await startEdge({
      port: values.edgePort,
      host: values.bind,
      resolve: (streamId) => registry.resolve(streamId),
      mediaToken,
      verifyPlayback: await playbackFromSettings(values),
      // Its own media server and nothing else.
      upstreamAllow: new URL(transcoder.address.private).hostname.replaceAll(/[[\]]/g, ''),
      log: (level, message, fields) => logger[level](fields ?? {}, message),
    }).catch(named('HW_EDGE_PORT', values.edgePort));
    closers.push(() => edge.close());
    const portIsSet = (env[SETTINGS.metricsPort.name] ?? '') !== '';
    const metrics = await startMetrics({ port: values.metricsPort, portIsSet, transcoder, edge, logger });
    if (metrics !== undefined) closers.push(() => metrics.close());
    const ports = {
      ...transcoder.ports,
      edge: edge.port,
      ...(metrics === undefined ? {} : { metrics: metrics.port }),
    };
    return { bind: values.bind, demoKey, transcoder, ports, close };
  } catch (error) {
    await close();
    throw error;
  }
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
