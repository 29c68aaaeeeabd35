/**
 * The transcoder as a program of its own, with its control plane in Lambda. Composition root of `npm run transcoder`.
 */
import { randomBytes } from 'node:crypto';
import { cpus } from 'node:os';
import { LambdaClient } from '@aws-sdk/client-lambda';
import { pino } from 'pino';
import { SETTINGS, SETTING_NAMES } from '../contracts/setting_table.ts';
import { readSettings, refuseUnknownSettings, SettingError } from '../contracts/settings.ts';
import { openStore } from '../storage/open_store.ts';
import { systemClock } from './clock.ts';
import { attendTask } from './ecs/attend_task.ts';
import { readEcsTask } from './ecs/ecs_task.ts';
import { probeFfmpeg } from './encode/ffmpeg_probe.ts';
import { createLambdaControl } from './lambda_control.ts';
import { serveMetrics } from './metrics_server.ts';
import { whenDrained } from './stream/when_drained.ts';
import { askOwnerOverHttp, createTakeoverControl } from './takeover_control.ts';
import { startTracing } from './trace/tracing.ts';
import { startTranscoder } from './transcoder.ts';
import type { Transcoder } from './transcoder.ts';
import { readTranscoderSettings } from './transcoder_settings.ts';

async function main(): Promise<void> {
  refuseUnknownSettings(SETTING_NAMES, process.env);
  const values = readSettings(SETTINGS, process.env);
  const { control: place, functionPrefix, logLevel, metricsPort, recordingStore, s3Endpoint } = values;
  if (place !== 'lambda') {
    throw new SettingError('HW_CONTROL: got "embedded", wanted lambda; script/server runs all of it in one process');
  }
  const { ECS_CONTAINER_METADATA_URI_V4: metadataUri, ECS_AGENT_URI: agentUri } = process.env;
  const task = metadataUri === undefined ? undefined : await readEcsTask(metadataUri);
  const settings = readTranscoderSettings(process.env, {
    cpus: cpus().length,
    randomId: () => task?.id ?? `transcoder-${randomBytes(6).toString('hex')}`,
    address: task?.address,
  });
  const logger = pino({ level: logLevel, base: { serverId: settings.serverId } }, pino.destination(2));
  await probeFfmpeg(settings.ffmpeg);
  const lambda = createLambdaControl({ prefix: functionPrefix, clock: systemClock, random: Math.random });
  const control = createTakeoverControl(lambda, askOwnerOverHttp({ mediaToken: settings.mediaToken }));
  const recordings = recordingStore === undefined ? undefined : openStore(recordingStore, { s3Endpoint });
  if (recordings === undefined) logger.warn({}, 'HW_RECORDING_STORE is not set: nothing is recorded');
  const tracing = startTracing(process.env, { serverId: settings.serverId, clock: systemClock, logger });
  const transcoder = await startTranscoder(settings, { control, clock: systemClock, logger, recordings, tracing });
  const leave = exitOnSignals(transcoder);
  void whenDrained(transcoder.hub, systemClock).then(leave);
  const portIsSet = (process.env[SETTINGS.metricsPort.name] ?? '') !== '';
  const metrics = await serveMetrics(transcoder, { port: metricsPort, portIsSet, host: settings.bind, logger });
  const ports = { ...transcoder.ports, ...(metrics === undefined ? {} : { metrics }) };
  if (task !== undefined) {
    attendTask({
      task,
      agentUri,
      credentials: () => new LambdaClient({}).config.credentials(),
      busy: () => !transcoder.hub.empty,
      hasPeers: () => transcoder.hub.readyPeers > 0,
      leave,
      clock: systemClock,
      logger,
      random: Math.random,
    });
  }
  process.stdout.write(
    process.stdout.isTTY
      ? `The transcoder takes RTMP on port ${transcoder.ports.rtmp} and serves edges on port ${transcoder.ports.media}\n`
      : `${JSON.stringify({ ready: true, pid: process.pid, ports })}\n`,
  );
}

/**
 * The first signal has it hand its streams over; a second one, or Ctrl-C, ends it at once.
 * @returns what hands over without a signal
 */
function exitOnSignals(transcoder: Transcoder): () => void {
  let leaving: Promise<void> | undefined;
  let signalled = false;
  const exit = () => process.exit(0);
  const leave = () => {
    leaving ??= transcoder.leave().finally(exit);
  };
  process.on('SIGTERM', () => {
    if (signalled) void transcoder.close().finally(exit);
    else leave();
    signalled = true;
  });
  process.on('SIGINT', () => void transcoder.close().finally(exit));
  // Comes only to who was started with a channel: the supervisor is gone, and nobody else would end this server.
  process.once('disconnect', () => void transcoder.close().finally(exit));
  return leave;
}

main().catch((error: unknown) => {
  process.stderr.write(`headwater transcoder: ${error instanceof Error ? error.message : String(error)}\n`);
  process.exit(1);
});
