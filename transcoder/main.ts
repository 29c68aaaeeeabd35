/**
 * The transcoder as a program of its own, with its control plane in Lambda. Composition root of `npm run transcoder`.
 */
import { randomBytes } from 'node:crypto';
import { cpus } from 'node:os';
import { pino } from 'pino';
import { SETTINGS, SETTING_NAMES } from '../contracts/setting_table.ts';
import { readSettings, refuseUnknownSettings, SettingError } from '../contracts/settings.ts';
import { systemClock } from './clock.ts';
import { probeFfmpeg } from './encode/ffmpeg_probe.ts';
import { createLambdaControl } from './lambda_control.ts';
import { askOwnerOverHttp, createTakeoverControl } from './takeover_control.ts';
import { startTranscoder } from './transcoder.ts';
import { readTranscoderSettings } from './transcoder_settings.ts';

async function main(): Promise<void> {
  refuseUnknownSettings(SETTING_NAMES, process.env);
  const {
    control: place,
    functionPrefix,
    logLevel,
  } = readSettings(
    { control: SETTINGS.control, functionPrefix: SETTINGS.functionPrefix, logLevel: SETTINGS.logLevel },
    process.env,
  );
  if (place !== 'lambda') {
    throw new SettingError('HW_CONTROL: got "embedded", wanted lambda; script/server runs all of it in one process');
  }
  const settings = readTranscoderSettings(process.env, {
    cpus: cpus().length,
    randomId: () => `transcoder-${randomBytes(6).toString('hex')}`,
  });
  const logger = pino({ level: logLevel, base: { serverId: settings.serverId } }, pino.destination(2));
  await probeFfmpeg(settings.ffmpeg);
  const lambda = createLambdaControl({ prefix: functionPrefix, clock: systemClock, random: Math.random });
  const control = createTakeoverControl(lambda, askOwnerOverHttp({ mediaToken: settings.mediaToken }));
  const transcoder = await startTranscoder(settings, { control, clock: systemClock, logger });
  const stop = () => {
    for (const signal of ['SIGTERM', 'SIGINT'] as const) process.removeListener(signal, stop);
    void transcoder.close().finally(() => process.exit(0));
  };
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, stop);
  process.stdout.write(
    process.stdout.isTTY
      ? `The transcoder takes RTMP on port ${transcoder.ports.rtmp} and serves edges on port ${transcoder.ports.media}\n`
      : `${JSON.stringify({ ready: true, pid: process.pid, ports: transcoder.ports })}\n`,
  );
}

main().catch((error: unknown) => {
  process.stderr.write(`headwater transcoder: ${error instanceof Error ? error.message : String(error)}\n`);
  process.exit(1);
});
